// What an exception says, for messages: of LibTorch's without the backtrace that its what() has.
#pragma once

#include <exception>
#include <string>

namespace grapnel {

std::string exception_text(const std::exception& error);
// Of any exception: user's code may throw what is no std::exception.
std::string exception_text(const std::exception_ptr& exception);

}  // namespace grapnel
