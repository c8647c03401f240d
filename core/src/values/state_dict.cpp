#include "grapnel/state_dict.h"

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "values/state_error.h"

namespace grapnel {

namespace {

template <class Items>
auto find_item(Items& items, std::string_view key) {
  return std::find_if(items.begin(), items.end(),
                      [key](const StateDict::Item& item) { return item.first == key; });
}

template <class T, class Variant>
auto& get_or_throw(Variant& variant, const StateValue& value, std::string_view wanted) {
  auto* found = std::get_if<T>(&variant);
  if (found == nullptr) {
    throw StateError(fmt::format("expected {}, found {}", wanted, value.describe()), &value);
  }
  return *found;
}

[[noreturn]] void throw_missing(const StateDict& state, std::string_view key) {
  std::vector<std::string> keys;
  for (const auto& [name, value] : state) keys.push_back(name);
  std::string message = fmt::format("there is no key {}", quote(key));
  if (const auto candidate = nearest(key, keys)) {
    message += did_you_mean(candidate);
  } else if (keys.empty()) {
    message += "; the state is empty";
  } else {
    constexpr size_t kShown = 10;
    const size_t more = keys.size() > kShown ? keys.size() - kShown : 0;
    keys.resize(keys.size() - more);
    message += fmt::format("; the keys are {}", join_quoted(keys, "and"));
    if (more > 0) message += fmt::format(" and {} more", more);
  }
  throw StateError(message, &state);
}

// True when it is in the value; then its keys are in `keys`.
bool leads_to(const StateValue& value, const void* where, std::vector<std::string>& keys);

bool leads_to(const StateDict& state, const void* where, std::vector<std::string>& keys) {
  if (&state == where) return true;
  for (const auto& [key, value] : state) {
    keys.push_back(key);
    if (leads_to(value, where, keys)) return true;
    keys.pop_back();
  }
  return false;
}

bool leads_to(const StateValue& value, const void* where, std::vector<std::string>& keys) {
  if (&value == where) return true;
  if (value.is_dict()) return leads_to(value.to_dict(), where, keys);
  if (!value.is_list()) return false;
  for (const StateValue& element : value.to_list()) {
    keys.push_back(std::to_string(&element - value.to_list().data()));
    if (leads_to(element, where, keys)) return true;
    keys.pop_back();
  }
  return false;
}

StateValue snapshot_value(const StateValue& value) {
  if (value.is_tensor()) {
    const at::Tensor& tensor = value.to_tensor();
    return tensor.defined() ? tensor.detach().clone() : tensor;
  }
  if (value.is_list()) {
    StateList copy;
    copy.reserve(value.to_list().size());
    for (const StateValue& element : value.to_list()) copy.push_back(snapshot_value(element));
    return copy;
  }
  if (value.is_dict()) return snapshot(value.to_dict());
  return value;
}

}  // namespace

StateDict::StateDict() = default;
StateDict::StateDict(std::initializer_list<Item> items) {
  for (const Item& item : items) (*this)[item.first] = item.second;
}
StateDict::StateDict(const StateDict&) = default;
StateDict::StateDict(StateDict&&) noexcept = default;
StateDict& StateDict::operator=(const StateDict&) = default;
StateDict& StateDict::operator=(StateDict&&) noexcept = default;
StateDict::~StateDict() = default;

StateValue& StateDict::operator[](std::string_view key) {
  if (StateValue* found = find(key)) return *found;
  return items_.emplace_back(std::string(key), StateValue()).second;
}

void StateDict::append(std::string key, StateValue value) {
  items_.emplace_back(std::move(key), std::move(value));
}

const StateValue& StateDict::at(std::string_view key) const {
  const StateValue* found = find(key);
  if (found == nullptr) throw_missing(*this, key);
  return *found;
}

StateValue& StateDict::at(std::string_view key) {
  StateValue* found = find(key);
  if (found == nullptr) throw_missing(*this, key);
  return *found;
}

const StateValue* StateDict::find(std::string_view key) const {
  const auto found = find_item(items_, key);
  return found == items_.end() ? nullptr : &found->second;
}

StateValue* StateDict::find(std::string_view key) {
  const auto found = find_item(items_, key);
  return found == items_.end() ? nullptr : &found->second;
}

bool StateDict::erase(std::string_view key) {
  const auto found = find_item(items_, key);
  if (found == items_.end()) return false;
  items_.erase(found);
  return true;
}

bool StateDict::empty() const {
  return items_.empty();
}
size_t StateDict::size() const {
  return items_.size();
}
void StateDict::clear() {
  items_.clear();
}
std::vector<StateDict::Item>::const_iterator StateDict::begin() const {
  return items_.begin();
}
std::vector<StateDict::Item>::const_iterator StateDict::end() const {
  return items_.end();
}
std::vector<StateDict::Item>::iterator StateDict::begin() {
  return items_.begin();
}
std::vector<StateDict::Item>::iterator StateDict::end() {
  return items_.end();
}

bool StateValue::to_bool() const {
  return get_or_throw<bool>(value_, *this, "true or false");
}
int64_t StateValue::to_int() const {
  return get_or_throw<int64_t>(value_, *this, "an integer");
}

double StateValue::to_double() const {
  if (const auto* integer = std::get_if<int64_t>(&value_)) return static_cast<double>(*integer);
  return get_or_throw<double>(value_, *this, "a number");
}

const std::string& StateValue::to_string() const {
  return get_or_throw<std::string>(value_, *this, "a string");
}
const at::Tensor& StateValue::to_tensor() const {
  return get_or_throw<at::Tensor>(value_, *this, "a tensor");
}
const StateList& StateValue::to_list() const {
  return get_or_throw<StateList>(value_, *this, "a list");
}
StateList& StateValue::to_list() {
  return get_or_throw<StateList>(value_, *this, "a list");
}
const StateDict& StateValue::to_dict() const {
  return get_or_throw<StateDict>(value_, *this, "a dict");
}
StateDict& StateValue::to_dict() {
  return get_or_throw<StateDict>(value_, *this, "a dict");
}

std::string StateValue::describe() const {
  if (is_null()) return "null";
  if (is_bool()) return to_bool() ? "true" : "false";
  if (is_int()) return fmt::format("the integer {}", to_int());
  if (is_double()) return fmt::format("the number {}", to_double());
  if (is_string()) return fmt::format("the string {}", quote(to_string()));
  if (is_list()) return fmt::format("a list of {}", to_list().size());
  if (is_dict()) return fmt::format("a dict of {}", to_dict().size());
  const at::Tensor& tensor = to_tensor();
  if (!tensor.defined()) return "an undefined tensor";
  return fmt::format("a tensor of shape [{}]", fmt::join(tensor.sizes(), ", "));
}

std::string place_of(const StateDict& root, const void* where) {
  std::vector<std::string> keys;
  return leads_to(root, where, keys) ? join(keys, ".") : "";
}

StateDict snapshot(const StateDict& state) {
  // Made within an evaluation, the copies would otherwise be inference tensors, which training
  // can't use.
  const c10::InferenceMode normal_tensors(false);
  StateDict copy;
  for (const auto& [key, value] : state) copy[key] = snapshot_value(value);
  return copy;
}

}  // namespace grapnel
