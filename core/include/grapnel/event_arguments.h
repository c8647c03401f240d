// The arguments of a user-defined event: values by position and by name.
//
//   fabric.call("on_iteration", arg("loss", loss), arg("tag", "train"), arg("model", std::ref(net)));
//
// A value is a number, a boolean, a string, a tensor, a list, a StateDict, null, or a reference to
// an object of the caller (std::ref), which only C++ handlers can take. References are valid until
// the call returns.
#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "grapnel/argument_error.h"
#include "grapnel/export.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class GRAPNEL_CORE_API EventValue {
 public:
  EventValue() = default;  // null: Python's None
  EventValue(bool value) : value_(value) {}
  EventValue(std::integral auto value) : value_(static_cast<int64_t>(value)) {}
  EventValue(std::floating_point auto value) : value_(static_cast<double>(value)) {}
  EventValue(const char* value) : value_(value) {}
  EventValue(std::string_view value) : value_(std::string(value)) {}
  EventValue(std::string value) : value_(std::move(value)) {}
  EventValue(at::Tensor value) : value_(std::move(value)) {}
  EventValue(StateList value) : value_(std::move(value)) {}
  EventValue(StateDict value) : value_(std::move(value)) {}
  EventValue(StateValue value) : value_(std::move(value)) {}
  EventValue(std::nullopt_t) {}
  template <class T>
  EventValue(std::reference_wrapper<T> object)
      : object_(const_cast<std::remove_const_t<T>*>(&object.get())),
        type_(&typeid(T)),
        is_const_(std::is_const_v<T>) {}
  EventValue(const void*) = delete;  // would become a bool; pass std::ref(object)

  bool is_null() const { return type_ == nullptr && value_.is_null(); }
  bool is_object() const { return type_ != nullptr; }
  // Null for an object.
  const StateValue& value() const { return value_; }

  // The object, if its class is exactly T and it isn't const where T isn't; else nullptr.
  template <class T>
  T* object() const {
    if (type_ == nullptr || *type_ != typeid(T) || (is_const_ && !std::is_const_v<T>)) {
      return nullptr;
    }
    return static_cast<T*>(object_);
  }

  // The value as this type; empty when it isn't one. A tensor with one element is a number too
  // (this waits for its device); a floating-point number is never an integer.
  std::optional<bool> as_bool() const;
  std::optional<int64_t> as_int() const;
  std::optional<double> as_double() const;
  std::optional<std::string> as_string() const;
  std::optional<at::Tensor> as_tensor() const;

  // "the integer 5", "an object of class Net", ...: for messages.
  std::string describe() const;

 private:
  StateValue value_;
  void* object_ = nullptr;
  const std::type_info* type_ = nullptr;
  bool is_const_ = false;
};

// ---- Conversion of a value to a type: for C++ handlers, plugins' handlers and standard hooks

// What a type accepts, for messages: "an integer". Empty for types that no value converts to.
template <class T>
inline constexpr std::string_view argument_words = "";
template <>
inline constexpr std::string_view argument_words<EventValue> = "any value";
template <>
inline constexpr std::string_view argument_words<bool> = "true or false";
template <std::integral T>
inline constexpr std::string_view argument_words<T> = "an integer";
template <std::floating_point T>
inline constexpr std::string_view argument_words<T> = "a number";
template <>
inline constexpr std::string_view argument_words<std::string> = "a string";
template <>
inline constexpr std::string_view argument_words<at::Tensor> = "a tensor";
template <>
inline constexpr std::string_view argument_words<StateDict> = "a dict";
template <>
inline constexpr std::string_view argument_words<StateList> = "a list";
template <>
inline constexpr std::string_view argument_words<std::vector<int64_t>> = "a list of integers";
template <>
inline constexpr std::string_view argument_words<std::vector<double>> = "a list of numbers";
template <>
inline constexpr std::string_view argument_words<std::vector<at::Tensor>> = "a list of tensors";
template <class T>
inline constexpr std::string_view argument_words<std::optional<T>> = argument_words<T>;

template <class T>
inline constexpr bool is_argument_type = !argument_words<T>.empty();

namespace event_detail {

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

}  // namespace event_detail

// The value as a T; empty when it doesn't convert. An optional T is empty for null.
template <class T>
std::optional<T> argument_as(const EventValue& value) {
  static_assert(is_argument_type<T>, "a handler can't take this type by value");
  if constexpr (std::is_same_v<T, EventValue>) {
    return value;
  } else if constexpr (event_detail::is_optional<T>::value) {
    if (value.is_null()) return T();
    auto inner = argument_as<typename T::value_type>(value);
    if (!inner) return {};
    return T(std::move(*inner));
  } else if constexpr (std::is_same_v<T, bool>) {
    return value.as_bool();
  } else if constexpr (std::is_integral_v<T>) {
    const std::optional<int64_t> number = value.as_int();
    if (!number || !std::in_range<T>(*number)) return {};
    return static_cast<T>(*number);
  } else if constexpr (std::is_floating_point_v<T>) {
    const std::optional<double> number = value.as_double();
    if (!number) return {};
    return static_cast<T>(*number);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.as_string();
  } else if constexpr (std::is_same_v<T, at::Tensor>) {
    return value.as_tensor();
  } else if constexpr (std::is_same_v<T, StateDict>) {
    if (!value.value().is_dict()) return {};
    return value.value().to_dict();
  } else if constexpr (event_detail::is_vector<T>::value && !std::is_same_v<T, StateList>) {
    if (!value.value().is_list()) return {};
    T items;
    for (const StateValue& each : value.value().to_list()) {
      auto item = argument_as<typename T::value_type>(EventValue(each));
      if (!item) return {};
      items.push_back(*std::move(item));
    }
    return items;
  } else {
    if (!value.value().is_list()) return {};
    return value.value().to_list();
  }
}

// An argument given by name.
struct NamedArgument {
  std::string name;
  EventValue value;
};

inline NamedArgument arg(std::string name, EventValue value) {
  return {std::move(name), std::move(value)};
}

// The arguments of one call, in order. Giving a name twice is an ArgumentError of the call.
struct EventArguments {
  std::vector<EventValue> positional;
  std::vector<NamedArgument> named;

  void add(EventValue value) { positional.push_back(std::move(value)); }
  void add(NamedArgument argument) { named.push_back(std::move(argument)); }
  // nullptr when no argument has the name.
  const EventValue* find(std::string_view name) const {
    for (const NamedArgument& argument : named) {
      if (argument.name == name) return &argument.value;
    }
    return nullptr;
  }
};

template <class... Arguments>
EventArguments make_arguments(Arguments&&... each) {
  EventArguments arguments;
  (arguments.add(std::forward<Arguments>(each)), ...);
  return arguments;
}

}  // namespace grapnel
