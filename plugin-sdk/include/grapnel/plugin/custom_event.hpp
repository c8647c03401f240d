// User-defined events: handlers for names that are not in hooks.def, called from a user's own loop
// (Fabric's call). Declared in the constructor or in init:
//
//   Timing() { on("on_iteration_end", &Timing::end, {"iteration", {"unit", "s"}}); }
//   void end(CustomEvent& event, std::int64_t iteration, std::string_view unit);
//
// Each argument is named, in order; {"unit", "s"} has a default. CustomEvent& comes first, or is
// omitted. Types: double or float, std::int64_t or another integer, bool, std::string or
// std::string_view, Tensor, std::vector of double, std::int64_t or Tensor, and std::optional of
// these, which is empty when the default std::nullopt applies or the caller passed nothing. The
// host converts arguments and refuses those that don't fit, by name. Tensors are copies, like
// those of a batch. [train-thread]
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <grapnel/ext/event.h>
#include <grapnel/plugin/services.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

class Callback;

/// The event, with all services of a hook. Valid until the handler returns.
class CustomEvent : public Services {
 public:
  CustomEvent(detail::Context& context, std::string_view name) noexcept
      : Services(context), name_(name) {}
  std::string_view name() const { return name_; }

  // For the wrapper.
  detail::Context& host_context() const noexcept { return context(); }

 private:
  std::string_view name_;
};

/// An argument of a handler by its name, with an optional default.
class EventArgument {
 public:
  EventArgument(const char* name) : name_(name) {}
  EventArgument(const char* name, std::nullopt_t) : EventArgument(name) { has_default_ = true; }
  EventArgument(const char* name, bool value) : EventArgument(name, std::nullopt) {
    default_.tag = GRAPNEL_VALUE_BOOL;
    default_.u.i64 = value ? 1 : 0;
  }
  template <
      class Number,
      std::enable_if_t<std::is_arithmetic_v<Number> && !std::is_same_v<Number, bool>, int> = 0>
  EventArgument(const char* name, Number value) : EventArgument(name, std::nullopt) {
    if constexpr (std::is_integral_v<Number>) {
      default_.tag = GRAPNEL_VALUE_I64;
      default_.u.i64 = static_cast<std::int64_t>(value);
    } else {
      default_.tag = GRAPNEL_VALUE_F64;
      default_.u.f64 = static_cast<double>(value);
    }
  }
  EventArgument(const char* name, const char* value) : EventArgument(name, std::nullopt) {
    text_ = value;
    default_.tag = GRAPNEL_VALUE_STRING;
  }

  // For the wrapper. Points into this object.
  grapnel_event_argument to_abi(std::int32_t type) const {
    grapnel_event_argument abi{};
    abi.struct_size = sizeof abi;
    abi.flags = has_default_ ? GRAPNEL_EVENT_HAS_DEFAULT : 0;
    abi.name = detail::to_abi(name_);
    abi.type = type;
    abi.default_value = default_;
    if (default_.tag == GRAPNEL_VALUE_STRING) {
      abi.default_value.size = text_.size();
      abi.default_value.u.string = text_.data();
    }
    return abi;
  }

 private:
  std::string name_;
  std::string text_;
  bool has_default_ = false;
  grapnel_value default_{};
};

namespace detail {

// An argument's type in the ABI, and how to read it: tag, get(context, value).
template <class T, class = void>
struct EventType;
template <class T>
struct EventType<T, std::enable_if_t<std::is_floating_point_v<T>>> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_F64;
  static T get(Context&, const grapnel_value& value) { return static_cast<T>(value.u.f64); }
};
template <class T>
struct EventType<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_I64;
  static T get(Context&, const grapnel_value& value) {
    const std::int64_t number = value.u.i64;
    const T narrow = static_cast<T>(number);
    if (static_cast<std::int64_t>(narrow) != number || (narrow < T{}) != (number < 0)) {
      throw Error("the integer " + std::to_string(number) + " is out of the handler's range");
    }
    return narrow;
  }
};
template <>
struct EventType<bool> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_BOOL;
  static bool get(Context&, const grapnel_value& value) { return value.u.i64 != 0; }
};
template <>
struct EventType<std::string_view> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_STRING;
  static std::string_view get(Context&, const grapnel_value& value) {
    return {value.u.string, static_cast<std::size_t>(value.size)};
  }
};
template <>
struct EventType<std::string> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_STRING;
  static std::string get(Context& context, const grapnel_value& value) {
    return std::string(EventType<std::string_view>::get(context, value));
  }
};
template <>
struct EventType<Tensor> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_TENSOR;
  static Tensor get(Context& context, const grapnel_value& value) {
    return Tensor::retain(context, value.u.tensor);
  }
};
template <>
struct EventType<std::vector<double>> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_F64_LIST;
  static std::vector<double> get(Context&, const grapnel_value& value) {
    return {value.u.f64s, value.u.f64s + value.size};
  }
};
template <>
struct EventType<std::vector<std::int64_t>> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_I64_LIST;
  static std::vector<std::int64_t> get(Context&, const grapnel_value& value) {
    return {value.u.i64s, value.u.i64s + value.size};
  }
};
template <>
struct EventType<std::vector<Tensor>> {
  static constexpr std::int32_t tag = GRAPNEL_VALUE_TENSOR_LIST;
  static std::vector<Tensor> get(Context& context, const grapnel_value& value) {
    std::vector<Tensor> tensors;
    for (std::uint64_t i = 0; i < value.size; ++i) {
      tensors.push_back(Tensor::retain(context, value.u.tensors[i]));
    }
    return tensors;
  }
};
template <class T>
struct EventType<std::optional<T>> {
  static constexpr std::int32_t tag = EventType<T>::tag;
  static std::optional<T> get(Context& context, const grapnel_value& value) {
    if (value.tag == GRAPNEL_VALUE_NONE) return {};
    return EventType<T>::get(context, value);
  }
};

template <class A>
using Plain = std::remove_cv_t<std::remove_reference_t<A>>;
template <class A>
inline constexpr bool is_custom_event = std::is_same_v<Plain<A>, CustomEvent>;

/// One handler as the host sees it. Not movable: the host keeps pointers into it.
class EventHandler {
 public:
  using Function = std::function<void(Callback&, CustomEvent&, const grapnel_value*)>;

  EventHandler(std::string event, std::vector<EventArgument> arguments,
               const std::vector<std::int32_t>& types, Function function)
      : event_(std::move(event)), named_(std::move(arguments)), function_(std::move(function)) {
    if (named_.size() != types.size()) {
      throw Error("the handler of '" + event_ + "' takes " + std::to_string(types.size()) +
                  " arguments, but " + std::to_string(named_.size()) +
                  " are named; name each of them, in order");
    }
    arguments_.reserve(types.size());
    for (std::size_t i = 0; i < types.size(); ++i) {
      arguments_.push_back(named_[i].to_abi(types[i]));
      pointers_.push_back(&arguments_.back());
    }
    abi_.self = this;
    abi_.table.struct_size = sizeof(grapnel_event_handler);
    abi_.table.argument_count = static_cast<std::uint32_t>(types.size());
    abi_.table.event = to_abi(event_);
    abi_.table.arguments = pointers_.data();
  }
  EventHandler(const EventHandler&) = delete;
  EventHandler& operator=(const EventHandler&) = delete;

  template <class Call>
  const grapnel_event_handler* abi(Call* function) noexcept {
    abi_.table.call = function;
    return &abi_.table;
  }
  static EventHandler& of(const grapnel_event_handler* handler) {
    return *reinterpret_cast<const Abi*>(handler)->self;
  }
  void call(Callback& callback, Context& context, const grapnel_value* values) const {
    CustomEvent event(context, event_);
    function_(callback, event, values);
  }

 private:
  struct Abi {
    grapnel_event_handler table{};
    EventHandler* self = nullptr;
  };

  std::string event_;
  std::vector<EventArgument> named_;
  std::vector<grapnel_event_argument> arguments_;
  std::vector<const grapnel_event_argument*> pointers_;
  Function function_;
  Abi abi_;
};

// Reads one argument; the event itself consumes no value.
template <class A>
auto take_argument(CustomEvent& event, Context& context, const grapnel_value* values,
                   std::size_t& next) {
  if constexpr (is_custom_event<A>) {
    return std::ref(event);
  } else {
    return EventType<Plain<A>>::get(context, values[next++]);
  }
}

}  // namespace detail
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
