#include "values/exception_text.h"

#include <c10/util/Exception.h>

namespace grapnel {

std::string exception_text(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  return torch != nullptr ? torch->what_without_backtrace() : error.what();
}

}  // namespace grapnel
