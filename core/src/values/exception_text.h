// What an exception says, for messages: of LibTorch's without the backtrace that its what() has.
#pragma once

#include <exception>
#include <string>

namespace grapnel {

std::string exception_text(const std::exception& error);

}  // namespace grapnel
