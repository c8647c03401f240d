// Exceptions: what a C++ one is called, and which of ours stand for which of Lightning's.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace grapnel::oracle {

struct Thrown {
  std::string type;  // unqualified class name
  std::string message;
};

// exception: not null.
Thrown describe(const std::exception_ptr& exception);

// Does one of our classes stand for a recorded Python class? The table is in exceptions.cpp.
bool stands_for(std::string_view ours, std::string_view recorded);

// Names of ours that would do, for messages: "ConfigError or DataError".
std::string accepted_types(std::string_view recorded);

}  // namespace grapnel::oracle
