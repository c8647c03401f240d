// How a rate goes from one value to another, for schedulers that let the user choose.
#pragma once

#include "grapnel/base/enum_names.h"

namespace grapnel {

enum class AnnealStrategy { cos, linear };

template <>
inline constexpr auto enum_names<AnnealStrategy> = std::to_array<EnumName<AnnealStrategy>>(
    {{AnnealStrategy::cos, "cos"}, {AnnealStrategy::linear, "linear"}});

}  // namespace grapnel
