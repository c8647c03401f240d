// Keeps what the library logs while a case runs.
#pragma once

#include <grapnel/base/log.h>

#include <mutex>
#include <string>
#include <vector>

namespace grapnel::oracle {

class LogCapture final : public LogSink {
 public:
  struct Line {
    LogLevel level;
    std::string text;
  };

  bool wants(LogLevel level) const noexcept override { return level != LogLevel::debug; }

  void write(LogLevel level, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back({level, std::string(text)});
  }

  std::vector<Line> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Line> lines_;
};

}  // namespace grapnel::oracle
