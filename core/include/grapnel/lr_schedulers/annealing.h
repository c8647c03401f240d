// How a rate goes from one value to another, for schedulers that let the user choose.
#pragma once

namespace grapnel {

enum class AnnealStrategy { cos, linear };

}  // namespace grapnel
