// The arguments of a standard hook that is called by name, looked up by its event's fields.
#pragma once

#include <ATen/ops/scalar_tensor.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "grapnel/event_handlers.h"
#include "grapnel/hook_mask.h"
#include "grapnel/run_state.h"

namespace grapnel {

class Run;

// Its functions throw ArgumentError, naming the argument, for a value of another type.
class HookFields {
 public:
  HookFields(Run& of, Hook hook, const EventArguments& arguments,
             std::vector<EventParameter> parameters)
      : run(of) {
    handler_.event = std::string(kHookNames[static_cast<size_t>(hook)]);
    handler_.parameters = std::move(parameters);
    bound_ = bind_arguments(handler_, "Fabric", arguments);
  }

  const EventValue& value(std::string_view name) const { return bound_.values[index_of(name)]; }

  // A plain value.
  template <class T>
  T get(std::string_view name) const {
    if constexpr (std::is_same_v<T, RunKind>) {
      return choice(name, {RunKind::fit, RunKind::validate, RunKind::test, RunKind::predict});
    } else if constexpr (std::is_same_v<T, Outcome>) {
      return choice(name,
                    {Outcome::finished, Outcome::stopped, Outcome::interrupted, Outcome::failed});
    } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
      return get<std::string>(name);
    } else {
      auto found = argument_as<T>(value(name));
      if (!found) refuse(name, argument_words<T>);
      return *std::move(found);
    }
  }
  // The caller's object; nullptr: not given.
  template <class T>
  T* object(std::string_view name, std::string_view wanted) const {
    if (value(name).is_null()) return nullptr;
    T* found = value(name).object<T>();
    if (found == nullptr) refuse(name, wanted);
    return found;
  }
  [[noreturn]] void refuse(std::string_view name, std::string_view wanted) const {
    refuse_argument(handler_.event, name, wanted, value(name));
  }
  // A loss, which may be a number; undefined: not given.
  at::Tensor loss(std::string_view name) const {
    if (value(name).is_null()) return {};
    if (const auto tensor = value(name).as_tensor()) return *tensor;
    const auto number = value(name).as_double();
    if (!number) refuse(name, "a tensor or a number");
    return at::scalar_tensor(*number, at::kDouble);
  }

  Run& run;

 private:
  // The one of `known` that the text names.
  template <class T>
  T choice(std::string_view name, std::initializer_list<T> known) const {
    const std::string chosen = get<std::string>(name);
    std::string accepted;
    for (const T value : known) {
      if (chosen == to_string(value)) return value;
      accepted += (accepted.empty() ? "" : ", ") + std::string(to_string(value));
    }
    refuse(name, "one of " + accepted);
  }
  size_t index_of(std::string_view name) const {
    size_t index = 0;
    while (handler_.parameters[index].name != name) ++index;
    return index;
  }
  EventHandler handler_;
  BoundArguments bound_;
};

}  // namespace grapnel
