// A plugin that logs without end: what is let through, and what is said of the rest.
#include "../../host/bridge/src/log_limit.h"

#include <grapnel/ext/log.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace log_limit_test {

using namespace grapnel;
using namespace grapnel::test;
using bridge::LogLimit;
using std::chrono::seconds;

TEST_CASE("a burst of lines is let through, then as many as time has passed") {
  LogLimit limit;
  const auto start = LogLimit::Clock::now();
  int admitted = 0;
  for (int i = 0; i < 5000; ++i) admitted += limit.admit(0, start) ? 1 : 0;
  CHECK(admitted == 1000);
  const auto later = limit.admit(0, start + seconds(1));
  REQUIRE(later.has_value());
  CHECK(*later == 4000);
  CHECK(limit.take_left_out() == 0);
  for (int i = 0; i < 30; ++i) (void)limit.admit(0, start + seconds(1));
  CHECK(limit.take_left_out() == 11);  // 20 a second
}

TEST_CASE("a long line counts as several") {
  LogLimit limit;
  const auto now = LogLimit::Clock::now();
  int admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += limit.admit(100'000, now) ? 1 : 0;
  CHECK(admitted == 10);
}

TEST_CASE("the log of a plugin that floods it ends with the number of lines that were left out") {
  CapturedLog log;
  {
    InProcessPlugin plugin;
    plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
      const auto& table = caller.table<grapnel_log>(GRAPNEL_EXT_LOG);
      for (int i = 0; i < 20'000; ++i) {
        CHECK(table.write(caller.host, GRAPNEL_LOG_WARNING, text("flood")) == GRAPNEL_OK);
        const std::string key = "key " + std::to_string(i);
        CHECK(table.once(caller.host, GRAPNEL_LOG_WARNING, text(key), text("flood once")) ==
              GRAPNEL_OK);
      }
      return GRAPNEL_OK;
    });
    Toy toy;
    toy.fit({plugin.handle()});
  }
  CHECK(log.count("[probe] flood") >= 1000);
  CHECK(log.count("[probe] flood") < 10'000);
  CHECK(log.count("more lines were left out; a plugin may log 1000 at once and then 20 a second") >=
        1);
}

}  // namespace log_limit_test
