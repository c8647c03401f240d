#include <grapnel/host/order.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <grapnel/base/error.h>

#include "catch.h"

namespace order_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;

namespace {

std::vector<std::string> order(const std::vector<OrderedItem>& items) {
  std::vector<std::string> ids;
  for (const OrderedPlace& place : plugin_order(items)) ids.push_back(items[place.index].id);
  return ids;
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("plugins that ask for nothing are ordered by id") {
  CHECK(order({{"c", {}, {}, {}}, {"a", {}, {}, {}}, {"b", {}, {}, {}}}) == Ids{"a", "b", "c"});
  CHECK(order({}).empty());
}

TEST_CASE("before and after are obeyed, and move no more than they must") {
  CHECK(order({{"a", {}, {}, {"c"}}, {"b", {}, {}, {}}, {"c", {}, {}, {}}}) == Ids{"b", "c", "a"});
  CHECK(order({{"a", {}, {}, {}}, {"b", {}, {}, {}}, {"c", {}, {"a"}, {}}}) == Ids{"b", "c", "a"});
}

TEST_CASE("the order's reason names the plugin that comes before") {
  const std::vector<OrderedItem> items = {
      {"a", {}, {}, {"c"}}, {"b", {}, {"a"}, {}}, {"c", {}, {}, {}}};
  const auto places = plugin_order(items);
  CHECK(places[0].reason.empty());
  CHECK(places[2].index == 0);
  CHECK(places[2].reason == "after 'b' and 'c'");
}

TEST_CASE("before and after ignore a plugin that is not there") {
  CHECK(order({{"b", {}, {"x"}, {"y"}}, {"a", {}, {}, {}}}) == Ids{"a", "b"});
}

TEST_CASE("before and after find a plugin by its former ids, too") {
  CHECK(order({{"a", {}, {}, {"old"}}, {"b", {"old"}, {}, {}}}) == Ids{"b", "a"});
}

TEST_CASE("a cycle of before and after is an error that names its plugins only") {
  const std::vector<OrderedItem> items = {
      {"a", {}, {}, {"b"}}, {"b", {}, {}, {"c"}}, {"c", {}, {}, {"b"}}, {"d", {}, {}, {}}};
  CHECK_THROWS_WITH(plugin_order(items), Contains("'b' after 'c' after 'b'") && !Contains("'a'") &&
                                             !Contains("'d'") && Contains("--no-plugin"));
  CHECK_THROWS_AS(plugin_order({{"a", {}, {"b"}, {}}, {"b", {}, {"a"}, {}}}), PluginError);
}

TEST_CASE("the order of plugins does not depend on the order of discovery") {
  const std::uint32_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::vector<OrderedItem> items;
  for (int i = 0; i < 12; ++i) {
    OrderedItem item{"p" + std::to_string(i), {}, {}, {}};
    // Only downwards, so that there is no cycle.
    for (int j = 0; j < i; ++j) {
      if (random() % 4 == 0) item.before.push_back("p" + std::to_string(j));
    }
    items.push_back(item);
  }
  const Ids expected = order(items);
  for (int round = 0; round < 50; ++round) {
    std::shuffle(items.begin(), items.end(), random);
    CHECK(order(items) == expected);
  }
}

}  // namespace order_test
