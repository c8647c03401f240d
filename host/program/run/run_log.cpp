#include "run_log.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

#include <grapnel/base/error.h>

#include "output.h"

namespace grapnel::program {
namespace {

class ScreenSink final : public LogSink {
 public:
  bool wants(LogLevel level) const noexcept override { return level >= level_.load(); }

  void write(LogLevel level, std::string_view text) override {
    if (repeats_cause(level, text)) return;
    std::string line = "grapnel: ";
    if (level == LogLevel::error || level == LogLevel::warning) {
      const Color color = level == LogLevel::error ? Color::red : Color::yellow;
      line += paint(std::string(to_string(level)) + ":", color, Stream::error) + " ";
    }
    line += terminal_text(text);
    const std::lock_guard lock(mutex_);
    if (progress_ != nullptr) {
      progress_->print(line);
    } else {
      line += "\n";
      std::fwrite(line.data(), 1, line.size(), stderr);
    }
  }

  // `failure`: what else fails in the same way says so with this text.
  void show_cause(const std::string& text, const std::string& failure) {
    write(LogLevel::error, text);
    const std::lock_guard lock(mutex_);
    failure_ = failure;
    has_shown_cause_ = true;
  }
  bool has_shown_cause() const { return has_shown_cause_; }

  void show(LogLevel level, std::shared_ptr<ProgressSink> progress) {
    const std::lock_guard lock(mutex_);
    level_ = level;
    progress_ = std::move(progress);
  }

 private:
  bool repeats_cause(LogLevel level, std::string_view text) {
    const std::lock_guard lock(mutex_);
    return level == LogLevel::error && !failure_.empty() &&
           text.find(failure_) != std::string_view::npos;
  }

  std::atomic<LogLevel> level_ = LogLevel::warning;
  std::mutex mutex_;
  std::shared_ptr<ProgressSink> progress_;
  std::string failure_;  // "cannot write to '/a/file'"; empty: none
  std::atomic<bool> has_shown_cause_ = false;
};

// Never destroyed: other code may log at the end of the process.
const std::shared_ptr<ScreenSink>& screen() {
  static const auto* const sink = new std::shared_ptr<ScreenSink>(std::make_shared<ScreenSink>());
  return *sink;
}

}  // namespace

RunLog::RunLog() {
  set_log_sink(screen());
}
RunLog::~RunLog() {
  screen()->show(LogLevel::warning, nullptr);
}

void RunLog::show_cause(const std::exception_ptr& cause) {
  try {
    std::rethrow_exception(cause);
  } catch (const Interrupted&) {
  } catch (const c10::Error& error) {  // without its backtrace
    screen()->show_cause(error.what_without_backtrace(), "");
  } catch (const IoError& error) {
    const std::string text = error.what();
    screen()->show_cause(text, text.substr(0, text.find("': ") + 1));
  } catch (const std::exception& error) {
    screen()->show_cause(error_text(error), "");
  }
}

bool RunLog::has_shown_cause() {
  return screen()->has_shown_cause();
}

void RunLog::show(LogLevel level, std::shared_ptr<ProgressSink> progress) {
  screen()->show(level, std::move(progress));
}

}  // namespace grapnel::program
