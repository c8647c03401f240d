#include "signal_line.h"

#include <cerrno>

#include <unistd.h>

namespace grapnel::program {

SignalLine& SignalLine::add(const char* text) noexcept {
  while (*text != '\0' && used_ + 1 < sizeof text_) text_[used_++] = *text++;
  return *this;
}

SignalLine& SignalLine::add(std::int64_t number) noexcept {
  char digits[24];
  char* at = digits + sizeof digits;
  *--at = '\0';
  const bool is_negative = number < 0;
  auto rest =
      is_negative ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  do *--at = static_cast<char>('0' + rest % 10);
  while ((rest /= 10) != 0);
  if (is_negative) *--at = '-';
  return add(at);
}

const char* SignalLine::text() noexcept {
  text_[used_] = '\0';
  return text_;
}

void SignalLine::write_to(int file) noexcept {
  std::size_t done = 0;
  while (done < used_) {
    const ssize_t count = ::write(file, text_ + done, used_ - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

}  // namespace grapnel::program
