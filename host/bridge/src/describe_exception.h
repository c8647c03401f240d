// The text of an exception for a log: what() without LibTorch's stack of addresses.
#pragma once

#include <exception>
#include <string>

namespace grapnel::bridge {

std::string describe_exception(const std::exception_ptr& exception);

}  // namespace grapnel::bridge
