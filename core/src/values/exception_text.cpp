#include "values/exception_text.h"

#include <c10/util/Exception.h>

namespace grapnel {

std::string exception_text(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  return torch != nullptr ? torch->what_without_backtrace() : error.what();
}

std::string exception_text(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return exception_text(error);
  } catch (...) {
    return "an exception that is not derived from std::exception";
  }
}

}  // namespace grapnel
