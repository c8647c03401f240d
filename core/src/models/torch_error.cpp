#include "models/torch_error.h"

#include <c10/util/Exception.h>

#include "grapnel/base/text.h"

namespace grapnel {

std::string first_line_of(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch != nullptr ? torch->what_without_backtrace() : error.what();
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "it gives no reason";
  return printable(text.substr(begin, text.find('\n', begin) - begin));
}

}  // namespace grapnel
