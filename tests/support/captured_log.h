// What the library logs, kept for a test to look at:
//
//   const CapturedLog log;
//   trainer.fit(module, data);
//   CHECK_THAT(log.text(), Contains("warning: no optimizer"));
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/log.h>

namespace grapnel::test {

// A sink that keeps messages of a level and above. From any thread.
class LogRecorder final : public LogSink {
 public:
  struct Message {
    LogLevel level;
    std::string text;
  };

  explicit LogRecorder(LogLevel least = LogLevel::debug) : least_(least) {}

  bool wants(LogLevel level) const noexcept override { return level >= least_; }
  void write(LogLevel level, std::string_view text) override {
    const std::scoped_lock lock(mutex_);
    messages_.push_back({level, std::string(text)});
  }

  std::vector<Message> messages() const {
    const std::scoped_lock lock(mutex_);
    return messages_;
  }
  // "warning: text", one per message.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const Message& message : messages()) {
      lines.push_back(std::string(to_string(message.level)) + ": " + message.text);
    }
    return lines;
  }

 private:
  const LogLevel least_;
  mutable std::mutex mutex_;
  std::vector<Message> messages_;
};

// Records everything that is logged while it lives.
class CapturedLog {
 public:
  // "warning: text", one per message.
  std::vector<std::string> lines() const { return recorder_->lines(); }
  // The texts of one level, without the level.
  std::vector<std::string> texts(LogLevel level) const {
    std::vector<std::string> texts;
    for (const LogRecorder::Message& message : recorder_->messages()) {
      if (message.level == level) texts.push_back(message.text);
    }
    return texts;
  }
  // All lines, each with a line break.
  std::string text() const {
    std::string all;
    for (const std::string& line : lines()) all += line + "\n";
    return all;
  }
  // How many lines contain the text.
  int count(std::string_view text) const {
    const std::vector<std::string> all = lines();
    return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    }));
  }

 private:
  std::shared_ptr<LogRecorder> recorder_ = std::make_shared<LogRecorder>();
  ScopedLogSink scope_{recorder_};
};

}  // namespace grapnel::test
