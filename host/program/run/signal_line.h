// A line of text that a signal handler makes and writes: in its own memory, without locks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace grapnel::program {

class SignalLine {
 public:
  SignalLine& add(const char* text) noexcept;
  SignalLine& add(std::int64_t number) noexcept;
  // Ended by a zero.
  const char* text() noexcept;
  // To a file descriptor. Errors are ignored.
  void write_to(int file) noexcept;

 private:
  char text_[8192];
  std::size_t used_ = 0;
};

}  // namespace grapnel::program
