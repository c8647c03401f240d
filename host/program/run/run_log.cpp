#include "run_log.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

#include "output.h"

namespace grapnel::program {
namespace {

class ScreenSink final : public LogSink {
 public:
  bool wants(LogLevel level) const noexcept override { return level >= level_.load(); }

  void write(LogLevel level, std::string_view text) override {
    std::string line = "grapnel: ";
    if (level == LogLevel::error || level == LogLevel::warning) {
      const Color color = level == LogLevel::error ? Color::red : Color::yellow;
      line += paint(std::string(to_string(level)) + ":", color, Stream::error) + " ";
    }
    line += text;
    const std::lock_guard lock(mutex_);
    if (progress_ != nullptr) {
      progress_->print(line);
    } else {
      line += "\n";
      std::fwrite(line.data(), 1, line.size(), stderr);
    }
  }

  void show(LogLevel level, std::shared_ptr<ProgressSink> progress) {
    const std::lock_guard lock(mutex_);
    level_ = level;
    progress_ = std::move(progress);
  }

 private:
  std::atomic<LogLevel> level_ = LogLevel::warning;
  std::mutex mutex_;
  std::shared_ptr<ProgressSink> progress_;
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

void RunLog::show(LogLevel level, std::shared_ptr<ProgressSink> progress) {
  screen()->show(level, std::move(progress));
}

}  // namespace grapnel::program
