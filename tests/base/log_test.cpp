#include <grapnel/base/error.h>
#include <grapnel/base/log.h>

#include <stdexcept>
#include <thread>
#include <vector>

#include "captured_log.h"
#include "catch.h"

namespace log_test {

using namespace grapnel;
using grapnel::test::LogRecorder;

namespace {

class Broken : public LogSink {
 public:
  void write(LogLevel, std::string_view) override { throw std::runtime_error("disk full"); }
};

}  // namespace

TEST_CASE("messages reach the sink with their level, and vanish without one") {
  log_info("nobody hears this");
  const auto sink = std::make_shared<LogRecorder>();
  {
    const ScopedLogSink scope(sink);
    log_debug("{}", 1);
    log_info("epoch {} of {}", 2, 3);
    log_warning("w");
    log_error("{:.2f}", 0.5);
    log_text(LogLevel::info, "100 {} %s");
  }
  log_info("nor this");
  CHECK(sink->lines() == std::vector<std::string>{"debug: 1", "info: epoch 2 of 3", "warning: w",
                                                  "error: 0.50", "info: 100 {} %s"});
}

TEST_CASE("no message and no error drives a terminal, whatever was put into it") {
  const auto sink = std::make_shared<LogRecorder>();
  const ScopedLogSink scope(sink);
  const std::string key =
      "a\x1b[31m/\xe2\x80\xae"
      "b\x07\r";
  const std::string shown = "a\\x1b[31m/\\u202eb\\x07\\r";
  log_warning("the state of '{}'\nand a second line \xe2\x94\x82", key);
  log_text(LogLevel::info, key);
  CHECK(sink->lines() == std::vector<std::string>{"warning: the state of '" + shown +
                                                      "'\nand a second line \xe2\x94\x82",
                                                  "info: " + shown});
  CHECK(std::string(Error("of " + key + "\nx").what()) == "of " + shown + "\nx");
  const std::string longer(10000, 'x');
  CHECK(std::string(Error(longer + "\x1b").what()) == longer + "\\x1b");
}

TEST_CASE("a message that the sink does not want is not formatted") {
  const auto sink = std::make_shared<LogRecorder>(LogLevel::warning);
  const ScopedLogSink scope(sink);
  log_info("small");
  log_warning("big");
  CHECK(sink->lines() == std::vector<std::string>{"warning: big"});
}

TEST_CASE("an exception in a sink does not reach the code that logs") {
  const ScopedLogSink scope(std::make_shared<Broken>());
  CHECK_NOTHROW(log_error("x"));
}

TEST_CASE("scoped sinks nest: the inner one gets the messages, then the outer one again") {
  const auto outer = std::make_shared<LogRecorder>();
  const auto inner = std::make_shared<LogRecorder>();
  const ScopedLogSink outer_scope(outer);
  {
    const ScopedLogSink inner_scope(inner);
    log_info("a");
  }
  log_info("b");
  CHECK(inner->lines() == std::vector<std::string>{"info: a"});
  CHECK(outer->lines() == std::vector<std::string>{"info: b"});
}

TEST_CASE("log_once logs each key once in its scope") {
  const auto sink = std::make_shared<LogRecorder>();
  const ScopedLogSink scope(sink);
  const OnceScope once;
  for (int i = 0; i < 3; ++i) {
    log_once("a", LogLevel::warning, "first {}", i);
    log_once("b", LogLevel::info, "other");
  }
  CHECK(sink->lines() == std::vector<std::string>{"warning: first 0", "info: other"});
  {
    const OnceScope inner;
    log_once("a", LogLevel::info, "again");
    CHECK(sink->lines().size() == 3);
    // Other threads have no part in a scope.
    bool first_elsewhere = false;
    std::thread([&] {
      first_elsewhere = first_time("log_test: in a scope and on another thread") &&
                        !first_time("log_test: in a scope and on another thread");
    }).join();
    CHECK(first_elsewhere);
    CHECK(first_time("log_test: in a scope and on another thread"));
  }
  log_once("a", LogLevel::info, "not again");
  CHECK(sink->lines().size() == 3);
}

TEST_CASE("log_once forgets its oldest keys instead of growing without bound") {
  const OnceScope once;
  CHECK(first_time("oldest"));
  for (int i = 0; i < 10'000; ++i) CHECK(first_time("key " + std::to_string(i)));
  CHECK(first_time("oldest"));
  CHECK_FALSE(first_time("key 9999"));
}

TEST_CASE("threads may log while the sink changes") {
  const auto one = std::make_shared<LogRecorder>();
  const auto two = std::make_shared<LogRecorder>();
  const ScopedLogSink scope(one);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 1000; ++i) log_info("{}", i);
    });
  }
  for (int i = 0; i < 100; ++i) {
    set_log_sink(two);
    set_log_sink(one);
  }
  for (auto& thread : threads) thread.join();
  CHECK(one->lines().size() + two->lines().size() == 4000);
}

}  // namespace log_test
