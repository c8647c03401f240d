#include "optim/state_check.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

constexpr const char* kList = "with_state";

// The state of a parameter, by its number over all groups; nullptr: none.
const StateDict* state_of(const StateDict& optimizer, int64_t index) {
  const StateValue* entry = optimizer.at("state").to_dict().find(std::to_string(index));
  return entry == nullptr ? nullptr : &entry->to_dict();
}

// Parameters that have each of the names, in a group.
std::map<std::string, std::vector<int64_t>> listed(const StateDict& optimizer,
                                                   const StateDict& group) {
  std::map<std::string, std::vector<int64_t>> found;
  for (const StateValue& index : group.at("params").to_list()) {
    const StateDict* state = state_of(optimizer, index.to_int());
    if (state == nullptr) continue;
    for (const auto& [name, value] : *state) found[name].push_back(index.to_int());
  }
  return found;
}

}  // namespace

void list_state(StateDict& optimizer) {
  for (StateValue& group : optimizer["groups"].to_list()) {
    StateDict list;
    for (const auto& [name, indices] : listed(optimizer, group.to_dict())) {
      list[name] = StateList(indices.begin(), indices.end());
    }
    group.to_dict()[kList] = std::move(list);
  }
}

void check_listed_state(const StateDict& optimizer, std::string_view type) {
  const auto require = [&](int64_t index, const std::string& name) {
    const StateDict* state = state_of(optimizer, index);
    if (state != nullptr && state->contains(name)) return;
    throw CheckpointError(
        {}, fmt::format("the state of optimizer {} doesn't fit: {} of parameter {} is missing",
                        type, quote(name), index));
  };
  for (const StateValue& value : optimizer.at("groups").to_list()) {
    const StateDict& group = value.to_dict();
    if (const StateValue* list = group.find(kList)) {
      for (const auto& [name, indices] : list->to_dict()) {
        for (const StateValue& index : indices.to_list()) require(index.to_int(), name);
      }
      continue;
    }
    for (const auto& [name, indices] : listed(optimizer, group)) {
      for (const StateValue& index : group.at("params").to_list()) {
        const StateDict* state = state_of(optimizer, index.to_int());
        if (state != nullptr && !state->empty()) require(index.to_int(), name);
      }
    }
  }
}

}  // namespace grapnel
