#include "run/callback_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "run/standard_callbacks.h"
#include "values/exception_text.h"

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
    const auto present = std::find_if(present_.begin(), present_.end(), [&](const auto& each) {
      return each.callback == handle.callback.get();
    });
    if (present != present_.end()) present->changed = true;
  }
}

void CallbackStates::note_present(const StateDict& states, bool all_give) {
  present_.clear();
  kept_before_ = kept_;
  for (const CallbackHandle& handle : callbacks_) {
    Callback& callback = *handle.callback;
    const bool is_built_in = is_built_in_callback(callback);
    const StateValue* own = state_of(callback, states);
    if (hooks_.disabled(&callback)) continue;
    if (!is_built_in && (own == nullptr || own->to_dict().empty())) continue;
    Present& present = present_.emplace_back(Present{&callback, {}, false});
    if (!is_built_in && !all_give && !callback.gives_back_state()) continue;
    try {
      present.state = snapshot(callback.state_dict());
      present.changed = is_built_in && !present.state->empty();
    } catch (const std::exception& error) {
      log_debug("{} has no state to go back to if the checkpoint is refused: {}",
                callback.type_name(), exception_text(error));
    }
  }
}

void CallbackStates::load_back() noexcept {
  for (auto each = present_.rbegin(); each != present_.rend(); ++each) {
    if (!each->changed) continue;
    Callback& callback = *each->callback;
    try {
      if (!each->state.has_value()) {
        tell_kept(callback, "the one before is not known (Callback::gives_back_state)");
        continue;
      }
      hooks_.call_for_state(callback, "load_state_dict",
                            [&] { callback.load_state_dict(*each->state); });
      const std::string key = callback.state_key();
      if (last_.contains(key)) last_[key] = *each->state;
    } catch (...) {
      tell_kept(callback, exception_text(std::current_exception()));
    }
  }
  kept_ = std::move(kept_before_);
  present_.clear();
}

void CallbackStates::tell_kept(const Callback& callback, const std::string& reason) {
  log_warning("{} keeps the state of the checkpoint that was refused: {}",
              callback.name().empty() ? callback.type_name() : callback.name(), reason);
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
          "the checkpoint has the state of {}, a callback that this run doesn't have; the state "
          "is kept and written to the next checkpoint",
          quote(key));
    } else {
      unknown.push_back(printable(key));
    }
  }
  if (!unknown.empty()) {
    log_warning(
        "the checkpoint has states of callbacks that this run doesn't have; add them to restore "
        "their states: {}",
        fmt::join(unknown, ", "));
  }
}

}  // namespace grapnel
