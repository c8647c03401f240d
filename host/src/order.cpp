#include <grapnel/host/order.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>

namespace grapnel::host {
namespace {

// Predecessors of each item, among the given items.
class Graph {
 public:
  explicit Graph(const std::vector<OrderedItem>& items)
      : items_(items), predecessors_(items.size()) {
    std::map<std::string_view, std::size_t> by_id;
    for (std::size_t i = 0; i < items.size(); ++i) by_id.emplace(items[i].id, i);
    for (std::size_t i = 0; i < items.size(); ++i) {
      for (const std::string& alias : items[i].aliases) by_id.emplace(alias, i);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      for (const std::string& id : items[i].after) {
        if (const auto peer = by_id.find(id); peer != by_id.end()) add(peer->second, i);
      }
      for (const std::string& id : items[i].before) {
        if (const auto peer = by_id.find(id); peer != by_id.end()) add(i, peer->second);
      }
    }
  }

  [[nodiscard]] const std::set<std::size_t>& predecessors(std::size_t item) const {
    return predecessors_[item];
  }

  // A cycle among `left`. Each of its items has a predecessor in it, so following predecessors must
  // return to a visited item.
  [[nodiscard]] std::string describe_cycle(const std::set<std::size_t>& left) const {
    std::vector<std::size_t> walk = {*left.begin()};
    auto start = walk.end();
    while (true) {
      const auto& before = predecessors_[walk.back()];
      const std::size_t next =
          *std::ranges::find_if(before, [&](std::size_t item) { return left.contains(item); });
      start = std::ranges::find(walk, next);
      if (start != walk.end()) break;
      walk.push_back(next);
    }
    std::vector<std::string> names;
    for (auto it = start; it != walk.end(); ++it) names.push_back(quote(items_[*it].id));
    names.push_back(quote(items_[*start].id));
    return join(names, " after ");
  }

 private:
  void add(std::size_t first, std::size_t second) {
    if (first != second) predecessors_[second].insert(first);
  }

  const std::vector<OrderedItem>& items_;
  std::vector<std::set<std::size_t>> predecessors_;
};

}  // namespace

std::vector<OrderedPlace> plugin_order(const std::vector<OrderedItem>& items) {
  const Graph graph(items);
  std::vector<std::vector<std::size_t>> successors(items.size());
  std::vector<std::size_t> waits_for(items.size());
  std::set<std::pair<std::string_view, std::size_t>> free;  // whom nothing left has to precede
  std::set<std::size_t> left;
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (const std::size_t before : graph.predecessors(i)) successors[before].push_back(i);
    waits_for[i] = graph.predecessors(i).size();
    if (waits_for[i] == 0) free.emplace(items[i].id, i);
    left.insert(i);
  }

  std::vector<OrderedPlace> order;
  while (!free.empty()) {
    const std::size_t next = free.extract(free.begin()).value().second;
    std::vector<std::string> peers;
    for (const std::size_t item : graph.predecessors(next)) peers.push_back(items[item].id);
    std::ranges::sort(peers);
    order.push_back({next, peers.empty() ? "" : "after " + join_quoted(peers, "and")});
    left.erase(next);
    for (const std::size_t after : successors[next]) {
      if (--waits_for[after] == 0) free.emplace(items[after].id, after);
    }
  }
  if (!left.empty()) {
    throw PluginError(fmt::format("the plugins' 'before' and 'after' contradict each "
                                  "other: {}; omit one of them with --no-plugin",
                                  graph.describe_cycle(left)),
                      {});
  }
  return order;
}

}  // namespace grapnel::host
