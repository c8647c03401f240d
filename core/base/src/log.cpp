#include <grapnel/base/log.h>

#include <fmt/format.h>

#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>

#include <grapnel/base/described.h>
#include <grapnel/base/printable_lines.h>

namespace grapnel {

// The keys that first_time() has seen.
struct OnceKeys {
  std::unordered_set<std::string> seen;
  std::deque<std::string> order;

  bool add(std::string_view key);
};

namespace {

constexpr std::size_t max_remembered_keys = 10'000;

// Never destroyed: destructors of static objects and late threads may still log.
struct LogState {
  std::mutex mutex;
  std::shared_ptr<LogSink> sink;
  OnceKeys once;
};

LogState& state() {
  static LogState* const instance = new LogState;
  return *instance;
}

// The innermost OnceScope's of this thread; nullptr: the process's.
thread_local OnceKeys* scope_keys = nullptr;

}  // namespace

GRAPNEL_DESCRIBE_ENUM(LogLevel, debug, info, warning, error);

std::string_view to_string(LogLevel level) noexcept {
  return enum_text(level);
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
    if (sink && sink->wants(level)) sink->write(level, detail::printable_lines(text));
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
    sink->write(level, detail::printable_lines(std::string_view(buffer.data(), buffer.size())));
  } catch (...) {
    // As above.
  }
}

bool OnceKeys::add(std::string_view key) {
  if (!seen.emplace(key).second) return false;
  order.emplace_back(key);
  if (order.size() > max_remembered_keys) {
    seen.erase(order.front());
    order.pop_front();
  }
  return true;
}

bool first_time(std::string_view key) {
  if (scope_keys != nullptr) return scope_keys->add(key);
  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  return log.once.add(key);
}

OnceScope::OnceScope()
    : keys_(std::make_unique<OnceKeys>()), outer_(std::exchange(scope_keys, keys_.get())) {}

OnceScope::~OnceScope() {
  scope_keys = outer_;
}

}  // namespace grapnel
