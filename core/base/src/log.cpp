#include <grapnel/base/log.h>

#include <fmt/format.h>

#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>

namespace grapnel {
namespace {

constexpr std::size_t max_remembered_keys = 10'000;

// Never destroyed: destructors of static objects and late threads may still log.
struct LogState {
  std::mutex mutex;
  std::shared_ptr<LogSink> sink;
  std::unordered_set<std::string> seen;
  std::deque<std::string> seen_order;
};

LogState& state() {
  static LogState* const instance = new LogState;
  return *instance;
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

LogSink::~LogSink() = default;
bool LogSink::wants(LogLevel) const noexcept {
  return true;
}

std::shared_ptr<LogSink> set_log_sink(std::shared_ptr<LogSink> sink) {
  const std::lock_guard lock(state().mutex);
  std::swap(state().sink, sink);
  return sink;
}

std::shared_ptr<LogSink> log_sink() {
  const std::lock_guard lock(state().mutex);
  return state().sink;
}

ScopedLogSink::ScopedLogSink(std::shared_ptr<LogSink> sink)
    : previous_(set_log_sink(std::move(sink))) {}
ScopedLogSink::~ScopedLogSink() {
  set_log_sink(std::move(previous_));
}

void log_text(LogLevel level, std::string_view text) noexcept {
  try {
    const auto sink = log_sink();
    if (sink && sink->wants(level)) sink->write(level, text);
  } catch (...) {
    // A message that cannot be delivered must not end a training.
  }
}

void log_format(LogLevel level, fmt::string_view format, fmt::format_args arguments) noexcept {
  try {
    const auto sink = log_sink();
    if (!sink || !sink->wants(level)) return;
    fmt::memory_buffer buffer;
    fmt::vformat_to(std::back_inserter(buffer), format, arguments);
    sink->write(level, std::string_view(buffer.data(), buffer.size()));
  } catch (...) {
    // As above.
  }
}

bool first_time(std::string_view key) {
  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  if (!log.seen.emplace(key).second) return false;
  log.seen_order.emplace_back(key);
  if (log.seen_order.size() > max_remembered_keys) {
    log.seen.erase(log.seen_order.front());
    log.seen_order.pop_front();
  }
  return true;
}

void forget_log_once() {
  const std::lock_guard lock(state().mutex);
  state().seen.clear();
  state().seen_order.clear();
}

}  // namespace grapnel
