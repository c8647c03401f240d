#include "grapnel/every_n.h"

#include <vector>

#include "catch.h"

namespace every_n_test {

using namespace grapnel;

namespace {

std::vector<int64_t> times(EveryN every, int64_t n, const std::vector<int64_t>& counts) {
  std::vector<int64_t> found;
  for (const int64_t count : counts) {
    if (!every.passed(count, n)) continue;
    every.note(count);
    found.push_back(count);
  }
  return found;
}

}  // namespace

TEST_CASE("every n steps is every multiple of n where steps come one by one") {
  CHECK(times(EveryN::from_start(), 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}) ==
        std::vector<int64_t>{3, 6, 9});
  CHECK(times(EveryN::from_start(), 1, {1, 2, 3}) == std::vector<int64_t>{1, 2, 3});
}

TEST_CASE("every n steps comes also when the counter jumps over the multiples of n") {
  CHECK(times(EveryN::from_start(), 2, {1, 3, 5, 7, 9}) == std::vector<int64_t>{3, 5, 7, 9});
  CHECK(times(EveryN::from_start(), 5, {2, 4, 6, 8, 10, 12}) == std::vector<int64_t>{6, 12});
  CHECK(times(EveryN::from_start(), 7, {2, 4, 6, 8, 10, 12, 14, 16}) ==
        std::vector<int64_t>{8, 16});
}

TEST_CASE("a count that comes again is not a new time") {
  CHECK(times(EveryN::from_start(), 2, {0, 1, 2, 2, 2, 3, 4, 4}) == std::vector<int64_t>{2, 4});
}

TEST_CASE("every n steps continues from the last time") {
  CHECK(times(EveryN(6), 5, {8, 10, 11, 12, 16}) == std::vector<int64_t>{11, 16});
}

TEST_CASE("when the last time is unknown the next one is at a multiple of n") {
  CHECK(times(EveryN(), 4, {5, 6, 7, 8, 10, 12}) == std::vector<int64_t>{8, 12});
  CHECK(!EveryN().last().has_value());
  CHECK(EveryN::from_start().last() == 0);
}

}  // namespace every_n_test
