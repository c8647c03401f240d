#include "run/callback_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "grapnel/base/log.h"
#include "run/standard_callbacks.h"

namespace grapnel {

namespace {

// A callback's own state in a checkpoint, under its key or a former one; nullptr: none.
const StateValue* state_of(const Callback& callback, const StateDict& states) {
  if (const StateValue* own = states.find(callback.state_key())) return own;
  for (const std::string& former : callback.former_state_keys()) {
    if (const StateValue* own = states.find(former)) return own;
  }
  return nullptr;
}

}  // namespace

StateDict CallbackStates::save() {
  StateDict states;
  for (const CallbackHandle& handle : callbacks_) {
    const std::string key = handle.callback->state_key();
    StateDict own;
    if (hooks_.call_for_state(*handle.callback, "state_dict",
                              [&] { own = handle.callback->state_dict(); })) {
      if (handle.on_error == OnError::disable && !own.empty()) last_[key] = snapshot(own);
    } else if (const StateValue* last = last_.find(key)) {
      own = last->to_dict();
    }
    if (!own.empty()) states[key] = std::move(own);
  }
  for (const auto& [key, kept] : kept_) {
    if (!states.contains(key)) states[key] = kept;
  }
  return states;
}

void CallbackStates::load(const StateDict& states) {
  for (const CallbackHandle& handle : callbacks_) {
    const StateValue* own = state_of(*handle.callback, states);
    if (own == nullptr || own->to_dict().empty()) continue;
    if (handle.on_error == OnError::disable) last_[handle.callback->state_key()] = *own;
    hooks_.call_for_state(*handle.callback, "load_state_dict",
                          [&] { handle.callback->load_state_dict(own->to_dict()); });
  }
}

StateDict CallbackStates::of_built_in() const {
  StateDict states;
  for (const CallbackHandle& handle : callbacks_) {
    if (!is_built_in_callback(*handle.callback)) continue;
    StateDict own = handle.callback->state_dict();
    if (!own.empty()) states[handle.callback->state_key()] = snapshot(own);
  }
  return states;
}

void CallbackStates::sort_out_absent(const StateDict& states) {
  std::vector<const StateValue*> taken;
  for (const CallbackHandle& handle : callbacks_) {
    taken.push_back(state_of(*handle.callback, states));
  }
  std::vector<std::string> unknown;
  for (const auto& [key, value] : states) {
    if (std::find(taken.begin(), taken.end(), &value) != taken.end()) continue;
    const StateValue* keep = value.to_dict().find("keep_if_absent");
    if (keep != nullptr && keep->is_bool() && keep->to_bool()) {
      kept_[key] = value;
      log_warning(
          "the checkpoint has the state of '{}', a callback that this run doesn't have; the state "
          "is "
          "kept and written to the next checkpoint",
          key);
    } else {
      unknown.push_back(key);
    }
  }
  if (!unknown.empty()) {
    log_warning(
        "the checkpoint has states of callbacks that this run doesn't have; add them to restore "
        "their "
        "states: {}",
        fmt::join(unknown, ", "));
  }
}

}  // namespace grapnel
