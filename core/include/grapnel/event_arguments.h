// What a caller gives to a user-defined event: values by place and by name.
//
//   fabric.call("on_iteration", arg("loss", loss), arg("tag", "train"), arg("model", std::ref(net)));
//
// A value is a number, a truth value, a text, a tensor, a list, a StateDict, nothing at all, or an
// object of the caller's own by reference (std::ref), which only handlers in C++ can take. References
// are borrowed until the call returns.
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
  EventValue() = default;  // nothing: Python's None
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
  EventValue(const void*) = delete;  // a pointer is no truth value; pass std::ref(object)

  bool is_null() const { return type_ == nullptr && value_.is_null(); }
  bool is_object() const { return type_ != nullptr; }
  // The value when it is no object; null for one.
  const StateValue& value() const { return value_; }

  // The object, when it is one of exactly this class and not const where T isn't; else nullptr.
  template <class T>
  T* object() const {
    if (type_ == nullptr || *type_ != typeid(T) || (is_const_ && !std::is_const_v<T>)) {
      return nullptr;
    }
    return static_cast<T*>(object_);
  }

  // The value as a handler wants it, when it can stand for one. A number is also a tensor with one
  // element, waiting for its device; an integer is no rounded number.
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

// One argument that is given by its name.
struct NamedArgument {
  std::string name;
  EventValue value;
};

inline NamedArgument arg(std::string name, EventValue value) {
  return {std::move(name), std::move(value)};
}

// Arguments of one call, in the order they were given. A name that is given twice is a ConfigError
// of the call.
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
