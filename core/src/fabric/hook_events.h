// The events of hooks that are called by name, made of the call's arguments: a visitor of each
// event's fields (event_fields.h).
//
// Internal to standard_hook.cpp. A field of a new
// type is one more Source.
#pragma once

#include <algorithm>
#include <concepts>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "fabric/hook_fields.h"
#include "fabric/loop_position.h"
#include "grapnel/base/error.h"
#include "grapnel/event_fields.h"
#include "run/run.h"

namespace grapnel {

// ---- How a field is made, by its type (some by name): the parameter that it adds to the call, and
// its value.
namespace event_source {

inline void add(std::vector<EventParameter>& parameters, std::string_view name,
                EventValue default_value) {
  parameters.emplace_back(std::string(name), std::move(default_value));
}

// A plain value: the name of its argument, and its default.
template <class Field>
inline constexpr std::string_view argument = Field::name;
template <>
inline constexpr std::string_view argument<event_field::run> = "stage";

template <class Field, class T>
EventValue default_of() {
  if constexpr (std::same_as<T, RunKind>) {
    return "fit";
  } else if constexpr (std::same_as<T, Outcome>) {
    return "finished";
  } else if constexpr (std::same_as<Field, event_field::type>) {
    return "Exception";
  } else if constexpr (std::is_arithmetic_v<T>) {
    return T{};
  } else {
    return "";
  }
}

template <class Field, class T>
struct Source {
  static void add_to(std::vector<EventParameter>& list) {
    add(list, argument<Field>, default_of<Field, T>());
  }
  explicit Source(const HookFields& fields) : value(fields.get<T>(argument<Field>)) {}
  T get() { return value; }
  T value;
};

// By default counted from the epoch's start.
template <>
struct Source<event_field::batch_idx, int64_t> {
  static void add_to(std::vector<EventParameter>& list) { add(list, "batch_idx", {}); }
  explicit Source(const HookFields& fields)
      : value(fields.value("batch_idx").is_null()
                  ? std::max<int64_t>(0, batches_of(fields.run.state).current.ready - 1)
                  : fields.get<int64_t>("batch_idx")) {}
  int64_t get() { return value; }
  int64_t value;
};

// The caller's object, or an empty one.
template <class Field, class T>
requires std::same_as<std::remove_const_t<T>, StateDict> || std::same_as<T, Batch>
struct Source<Field, T&> {
  static constexpr bool is_batch = std::same_as<T, Batch>;
  static void add_to(std::vector<EventParameter>& list) { add(list, Field::name, {}); }
  explicit Source(const HookFields& fields)
      : given(fields.object<T>(Field::name, is_batch ? "a Batch, passed by std::ref"
                                                     : "a StateDict, passed by std::ref")) {}
  T& get() { return given != nullptr ? *given : empty; }
  T* given;
  std::remove_const_t<T> empty;
};

// The caller's object, or made of a loss given in its position or as `loss`.
template <class Field>
struct Source<Field, StepOutput&> {
  static void add_to(std::vector<EventParameter>& list) { add(list, Field::name, {}); }
  explicit Source(const HookFields& fields) {
    const EventValue& value = fields.value(Field::name);
    if (value.is_object()) {
      given = fields.object<StepOutput>(Field::name, "a StepOutput, passed by std::ref, or a loss");
      return;
    }
    made.loss = fields.loss(value.is_null() ? "loss" : Field::name);
    if (made.loss.defined()) made.loss = made.loss.detach();
  }
  StepOutput& get() { return given != nullptr ? *given : made; }
  StepOutput* given = nullptr;
  StepOutput made;
};

// Required.
template <class Field>
struct Source<Field, const at::Tensor&> {
  static void add_to(std::vector<EventParameter>& list) {
    list.emplace_back(std::string(Field::name));
  }
  explicit Source(const HookFields& fields) : value(fields.loss(Field::name)) {
    if (!value.defined()) fields.refuse(Field::name, "a tensor or a number");
  }
  const at::Tensor& get() { return value; }
  at::Tensor value;
};

// Found by optimizer_idx.
template <class Field>
struct Source<Field, Optimizer&> {
  static void add_to(std::vector<EventParameter>&) {}
  explicit Source(const HookFields& fields) : found(find(fields)) {}
  Optimizer& get() { return found; }
  static Optimizer& find(const HookFields& fields) {
    const auto& all = fields.run.optimizers;
    const int64_t index = fields.get<int64_t>("optimizer_idx");
    if (index < 0 || static_cast<size_t>(index) >= all.size()) {
      throw ArgumentError(
          {}, fmt::format("there is no optimizer {}: {} were set up", index, all.size()),
          "optimizer_idx");
    }
    return *all[static_cast<size_t>(index)];
  }
  Optimizer& found;
};

// The exception being handled, or else an Error with the message.
template <class Field>
struct Source<Field, std::exception_ptr> {
  static void add_to(std::vector<EventParameter>&) {}
  explicit Source(const HookFields& fields)
      : value(std::current_exception() != nullptr
                  ? std::current_exception()
                  : std::make_exception_ptr(Error(fields.get<std::string>("message")))) {}
  std::exception_ptr get() { return value; }
  std::exception_ptr value;
};

}  // namespace event_source

// ---- An event and the objects that it refers to

template <class E, class List = EventFields<E>>
struct MadeEvent;

template <class E, class... Fields>
struct MadeEvent<E, event_field::List<Fields...>>
    : private event_source::Source<Fields, typename Fields::template Type<E>>... {
  template <class Field>
  using Source = event_source::Source<Field, typename Field::template Type<E>>;

  // In the order of Lightning's signatures, without trainer and module.
  static std::vector<EventParameter> parameters() {
    std::vector<EventParameter> all;
    (Source<Fields>::add_to(all), ...);
    if constexpr ((std::same_as<Fields, event_field::outputs> || ...)) {
      event_source::add(all, "loss", {});
    }
    return all;
  }

  explicit MadeEvent(const HookFields& fields)
      : Source<Fields>(fields)..., event{base_of(fields.run), Source<Fields>::get()...} {}

  static decltype(auto) base_of(Run& run) {
    if constexpr (std::derived_from<E, Event>) {
      return run.event();
    } else {
      return (run.trainer);
    }
  }

  E event;
};

}  // namespace grapnel
