#include "values/type_name.h"

#include <c10/util/Type.h>

namespace grapnel {

std::string unqualified_name(const std::type_info& type) {
  const std::string full = c10::demangle(type.name());
  // Only "::" outside of brackets separates the class from where it lives: "(anonymous
  // namespace)::Probe", "make(int)::Local", "Stack<std::string>".
  size_t start = 0;
  int depth = 0;
  for (size_t i = 0; i < full.size(); ++i) {
    if (full[i] == '<' || full[i] == '(' || full[i] == '{') ++depth;
    if (full[i] == '>' || full[i] == ')' || full[i] == '}') --depth;
    if (depth == 0 && full.compare(i, 2, "::") == 0) start = i + 2;
  }
  return full.substr(start);
}

}  // namespace grapnel
