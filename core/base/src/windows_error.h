// Windows' last error as the errno value that IoError carries.
#pragma once

#if !defined(WIN32_LEAN_AND_MEAN)
#define WIN32_LEAN_AND_MEAN
#endif
#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#include <windows.h>

#include <cerrno>
#include <system_error>

namespace grapnel::detail {

inline int errno_of(DWORD code) {
  const auto condition =
      std::error_code(static_cast<int>(code), std::system_category()).default_error_condition();
  return condition.category() == std::generic_category() ? condition.value() : EIO;
}

inline int last_errno() {
  return errno_of(GetLastError());
}

// A handle that is closed at the end of its scope.
class Handle {
 public:
  explicit Handle(HANDLE handle = nullptr) noexcept : handle_(handle) {}
  ~Handle() { reset(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  bool is_open() const noexcept { return handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE; }
  HANDLE get() const noexcept { return handle_; }
  HANDLE* out() noexcept { return &handle_; }
  void reset() noexcept {
    if (is_open()) CloseHandle(handle_);
    handle_ = nullptr;
  }

 private:
  HANDLE handle_;
};

}  // namespace grapnel::detail
