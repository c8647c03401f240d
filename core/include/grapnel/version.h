// The version of the library, "1.2.3".
#pragma once

#include <string_view>

#include "grapnel/export.h"

namespace grapnel {

GRAPNEL_CORE_API std::string_view version_string();

}  // namespace grapnel
