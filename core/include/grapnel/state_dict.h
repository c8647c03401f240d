// State as a tree: what callbacks, optimizers, schedulers and data put into checkpoints.
//
// A StateDict is an ordered map from names to values: numbers, texts, tensors, lists and nested
// StateDicts. The checkpoint itself is one StateDict, so a hook may read and edit all of it. Asking
// for a missing key, or for another type, throws CheckpointError naming the key.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

class StateValue;
using StateList = std::vector<StateValue>;

class GRAPNEL_CORE_API StateDict {
 public:
  using Item = std::pair<std::string, StateValue>;

  StateDict();
  StateDict(std::initializer_list<Item> items);
  StateDict(const StateDict&);
  StateDict(StateDict&&) noexcept;
  StateDict& operator=(const StateDict&);
  StateDict& operator=(StateDict&&) noexcept;
  ~StateDict();

  // The value under a key; inserts a null one if the key is missing.
  StateValue& operator[](std::string_view key);

  // Appends a value. No duplicate check: linear; the caller guarantees unique keys.
  void append(std::string key, StateValue value);

  // The value under a key; throws CheckpointError when there is none.
  const StateValue& at(std::string_view key) const;
  StateValue& at(std::string_view key);

  // nullptr when there is none.
  const StateValue* find(std::string_view key) const;
  StateValue* find(std::string_view key);

  bool contains(std::string_view key) const { return find(key) != nullptr; }
  bool erase(std::string_view key);
  bool empty() const;
  size_t size() const;
  void clear();

  // In the order of insertion.
  std::vector<Item>::const_iterator begin() const;
  std::vector<Item>::const_iterator end() const;
  std::vector<Item>::iterator begin();
  std::vector<Item>::iterator end();

 private:
  std::vector<Item> items_;
};

class GRAPNEL_CORE_API StateValue {
 public:
  using Variant = std::variant<std::monostate, bool, int64_t, double, std::string, at::Tensor,
                               StateList, StateDict>;

  StateValue() = default;
  StateValue(bool value) : value_(value) {}
  StateValue(int value) : value_(static_cast<int64_t>(value)) {}
  StateValue(int64_t value) : value_(value) {}
  StateValue(double value) : value_(value) {}
  StateValue(const char* value) : value_(std::string(value)) {}
  StateValue(std::string value) : value_(std::move(value)) {}
  StateValue(at::Tensor value) : value_(std::move(value)) {}
  StateValue(StateList value) : value_(std::move(value)) {}
  StateValue(StateDict value) : value_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_); }
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_tensor() const { return std::holds_alternative<at::Tensor>(value_); }
  bool is_list() const { return std::holds_alternative<StateList>(value_); }
  bool is_dict() const { return std::holds_alternative<StateDict>(value_); }

  // Each throws CheckpointError when the value is of another type. to_double accepts integers too.
  bool to_bool() const;
  int64_t to_int() const;
  double to_double() const;
  const std::string& to_string() const;
  const at::Tensor& to_tensor() const;
  const StateList& to_list() const;
  StateList& to_list();
  const StateDict& to_dict() const;
  StateDict& to_dict();

  // "an integer", "a tensor of shape [2, 3]", ...: for messages.
  std::string describe() const;

  const Variant& variant() const { return value_; }

 private:
  Variant value_;
};

// A deep copy. Tensors are cloned (detached, on their device), so later steps don't change it.
GRAPNEL_CORE_API StateDict snapshot(const StateDict& state);

}  // namespace grapnel
