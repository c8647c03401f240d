#include <grapnel/base/clock.h>

#include <stdexcept>

#include "catch.h"

namespace clock_test {

using namespace grapnel;

TEST_CASE("a manual clock shows the same time until it is advanced") {
  ManualClock clock;
  CHECK(clock.now() == 1000.0);
  CHECK(clock.now() == 1000.0);
  clock.advance(0.25);
  CHECK(clock.now() == 1000.25);
  CHECK(clock.wall_time() == 1000.25);
}

TEST_CASE("a clock never goes back") {
  ManualClock clock;
  CHECK_THROWS_AS(clock.advance(-1), std::invalid_argument);
  CHECK(clock.now() == 1000.0);
  const double first = system_clock().now();
  CHECK(system_clock().now() >= first);
}

TEST_CASE("the system's wall clock counts from 1970") {
  CHECK(system_clock().wall_time() > 1.7e9);  // 2023
}

}  // namespace clock_test
