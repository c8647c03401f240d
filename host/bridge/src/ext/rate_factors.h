// The factors that one instance puts on learning rates (ext/schedule.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include <grapnel/ext/schedule.h>
#include <grapnel/state_dict.h>

namespace grapnel::bridge {

class RateFactors {
 public:
  // GRAPNEL_SCHEDULE_ALL in the place of a number; of several settings the last counts.
  void set(std::int64_t optimizer, std::int64_t group, double factor) {
    std::erase_if(factors_, [&](const auto& item) {
      return (optimizer == GRAPNEL_SCHEDULE_ALL || item.first.first == optimizer) &&
             (group == GRAPNEL_SCHEDULE_ALL || item.first.second == group);
    });
    factors_[{optimizer, group}] = factor;
  }
  // 1: none was set.
  double get(std::size_t optimizer, std::size_t group) const noexcept {
    if (factors_.empty()) return 1.0;
    const auto o = static_cast<std::int64_t>(optimizer);
    for (const Key& key :
         {Key{o, static_cast<std::int64_t>(group)}, Key{o, kAll}, Key{kAll, kAll}}) {
      if (const auto found = factors_.find(key); found != factors_.end()) return found->second;
    }
    return 1.0;
  }
  void clear() noexcept { factors_.clear(); }
  bool empty() const noexcept { return factors_.empty(); }

  // [[optimizer, group, factor]...], for checkpoints.
  StateList state() const {
    StateList items;
    for (const auto& [key, factor] : factors_) {
      items.push_back(StateList{key.first, key.second, factor});
    }
    return items;
  }
  // Why load() can't take it; empty: it can.
  static const char* fault(const StateValue& state);
  void load(const StateValue& state);

 private:
  static constexpr std::int64_t kAll = GRAPNEL_SCHEDULE_ALL;
  using Key = std::pair<std::int64_t, std::int64_t>;  // optimizer, group
  std::map<Key, double> factors_;
};

}  // namespace grapnel::bridge
