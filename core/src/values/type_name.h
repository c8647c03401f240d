// The name of a class as people write it: without namespaces, without the compiler's mangling.
#pragma once

#include <string>
#include <typeinfo>

namespace grapnel {

// "EarlyStopping" for grapnel::EarlyStopping; template arguments are kept as they are.
std::string unqualified_name(const std::type_info& type);

}  // namespace grapnel
