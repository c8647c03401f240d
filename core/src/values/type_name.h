// The readable name of a class: demangled, without namespaces.
#pragma once

#include <string>
#include <typeinfo>

namespace grapnel {

// "EarlyStopping" for grapnel::EarlyStopping; template arguments are kept as they are.
std::string unqualified_name(const std::type_info& type);

}  // namespace grapnel
