// The library's one voice. Nothing in Grapnel prints; it logs here, and the program that uses the
// library decides where that goes by setting a sink. Without one, everything is dropped.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <grapnel/base/export.h>

namespace grapnel {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

[[nodiscard]] GRAPNEL_BASE_API std::string_view to_string(LogLevel level) noexcept;

// Receives finished messages, without a final newline, from any thread, several at a time. It must
// not call set_log_sink(). What it throws is dropped: logging never changes what a run does.
class GRAPNEL_BASE_API LogSink {
 public:
  virtual ~LogSink();
  // False spares the formatting of messages of that level.
  [[nodiscard]] virtual bool wants(LogLevel level) const noexcept;
  virtual void write(LogLevel level, std::string_view text) = 0;
};

// Sets the process-wide sink and returns the one before. nullptr drops everything. A sink may get
// messages for a moment after it was replaced, by threads that are just logging.
GRAPNEL_BASE_API std::shared_ptr<LogSink> set_log_sink(std::shared_ptr<LogSink> sink);
[[nodiscard]] GRAPNEL_BASE_API std::shared_ptr<LogSink> log_sink();

// Sets a sink for a scope: for tests and nested tools.
class GRAPNEL_BASE_API ScopedLogSink {
 public:
  explicit ScopedLogSink(std::shared_ptr<LogSink> sink);
  ~ScopedLogSink();
  ScopedLogSink(const ScopedLogSink&) = delete;
  ScopedLogSink& operator=(const ScopedLogSink&) = delete;

 private:
  std::shared_ptr<LogSink> previous_;
};

// Logs the text, which is no format string. Like every message it is printable when a sink gets it:
// bytes that would drive a terminal are escaped.
GRAPNEL_BASE_API void log_text(LogLevel level, std::string_view text) noexcept;
GRAPNEL_BASE_API void log_format(LogLevel level, fmt::string_view format,
                                 fmt::format_args arguments) noexcept;

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_format(LogLevel::debug, format, fmt::make_format_args(args...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_format(LogLevel::info, format, fmt::make_format_args(args...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_format(LogLevel::warning, format, fmt::make_format_args(args...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_format(LogLevel::error, format, fmt::make_format_args(args...));
}

// True for the first call with this key in the process, or, within a OnceScope, in that scope. Past
// 10,000 keys the oldest are forgotten, so that keys made of data cannot eat the memory.
[[nodiscard]] GRAPNEL_BASE_API bool first_time(std::string_view key);

struct OnceKeys;

// Starts with no key seen: while it lives, first_time() on this thread looks at the scope's own
// keys and leaves those outside alone. Scopes nest. A trainer's run holds one, so that each run
// gives a warning once, whatever other trainers run meanwhile.
class GRAPNEL_BASE_API OnceScope {
 public:
  OnceScope();
  ~OnceScope();
  OnceScope(const OnceScope&) = delete;
  OnceScope& operator=(const OnceScope&) = delete;

 private:
  std::unique_ptr<OnceKeys> keys_;
  OnceKeys* outer_;
};

// Logs only the first time that this key is seen: "metric-stale/val_loss".
template <class... Args>
void log_once(std::string_view key, LogLevel level, fmt::format_string<Args...> format,
              Args&&... args) {
  if (first_time(key)) log_format(level, format, fmt::make_format_args(args...));
}

}  // namespace grapnel
