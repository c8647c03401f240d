#include <grapnel/host/checkpoint_diff.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/document_notation.h>
#include <grapnel/base/error.h>
#include <grapnel/base/text.h>

#include "element.h"

namespace grapnel::host {
namespace {

bool is_tensor(const ConfigValue& value) {
  return value.is_object() && value.contains(document::tensor_key);
}

bool is_dict(const ConfigValue& value) {
  return value.is_object() && !is_tensor(value) && !document::is_bytes(value) &&
         !value.contains(document::number_key);
}

class Comparison {
 public:
  Comparison(const CheckpointFile& a, const CheckpointFile& b) : a_(a), b_(b) {}

  CheckpointDiff run(std::string_view below) {
    const ConfigValue* a = a_.document().find("checkpoint");
    const ConfigValue* b = b_.document().find("checkpoint");
    if (!below.empty()) {
      place_ = below;
      a = a == nullptr ? nullptr : a->find(below);
      b = b == nullptr ? nullptr : b->find(below);
    }
    if (a == nullptr && b == nullptr) {
      throw CheckpointError(a_.path(),
                            below.empty()
                                ? "it has no checkpoint in its document"
                                : fmt::format("neither it nor the other one has {}", quote(below)));
    }
    compare(a, b);
    return std::move(diff_);
  }

 private:
  // Either may be missing.
  void compare(const ConfigValue* a, const ConfigValue* b) {
    if ((a != nullptr && is_tensor(*a)) || (b != nullptr && is_tensor(*b))) {
      compare_tensors(a, b);
    } else if ((a == nullptr || is_dict(*a)) && (b == nullptr || is_dict(*b))) {
      compare_dicts(a, b);
    } else if ((a == nullptr || a->is_array()) && (b == nullptr || b->is_array())) {
      compare_lists(a, b);
    } else if (a == nullptr || b == nullptr || !(*a == *b)) {
      diff_.values.push_back({place_, optional(a), optional(b)});
    }
  }

  void compare_dicts(const ConfigValue* a, const ConfigValue* b) {
    using Items = std::vector<std::pair<std::string, const ConfigValue*>>;
    const Items of_a = a == nullptr ? Items() : document::read_dict(*a);
    const Items of_b = b == nullptr ? Items() : document::read_dict(*b);
    if (a == nullptr || b == nullptr) {
      // An empty one is a difference too.
      if (of_a.empty() && of_b.empty()) {
        diff_.values.push_back({place_, optional(a), optional(b)});
      }
    }
    std::unordered_map<std::string_view, const ConfigValue*> others;
    for (const auto& [key, value] : of_b) others.emplace(key, value);
    for (const auto& [key, value] : of_a) {
      const auto other = others.find(key);
      below(key, value, other == others.end() ? nullptr : other->second);
      if (other != others.end()) others.erase(other);
    }
    for (const auto& [key, value] : of_b) {
      if (others.contains(key)) below(key, nullptr, value);
    }
  }

  void compare_lists(const ConfigValue* a, const ConfigValue* b) {
    const std::size_t count = std::max(a == nullptr ? 0 : a->size(), b == nullptr ? 0 : b->size());
    if (count == 0 && (a == nullptr || b == nullptr)) {
      diff_.values.push_back({place_, optional(a), optional(b)});
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto item = [i](const ConfigValue* list) {
        return list != nullptr && i < list->size() ? &list->as_array()[i] : nullptr;
      };
      below(std::to_string(i), item(a), item(b));
    }
  }

  void below(std::string_view key, const ConfigValue* a, const ConfigValue* b) {
    const std::size_t length = place_.size();
    if (!place_.empty()) place_ += '.';
    place_ += printable(key);
    compare(a, b);
    place_.resize(length);
  }

  void compare_tensors(const ConfigValue* a, const ConfigValue* b) {
    const TensorEntry* of_a = tensor(a_, a);
    const TensorEntry* of_b = tensor(b_, b);
    if (of_a == nullptr && of_b == nullptr) {  // undefined, or none of a tensor
      if (a == nullptr || b == nullptr || !(*a == *b)) {
        diff_.values.push_back({place_, optional(a), optional(b)});
      }
      return;
    }
    TensorDifference difference;
    difference.place = place_;
    if (of_a != nullptr) difference.a = TensorType{of_a->dtype, of_a->shape};
    if (of_b != nullptr) difference.b = TensorType{of_b->dtype, of_b->shape};
    if (of_a != nullptr && of_b != nullptr && of_a->dtype == of_b->dtype &&
        of_a->shape == of_b->shape) {
      compare_data(*of_a, *of_b, difference);
      if (difference.elements == 0) {
        ++diff_.equal_tensors;
        return;
      }
    }
    diff_.tensors.push_back(std::move(difference));
  }

  void compare_data(const TensorEntry& a, const TensorEntry& b, TensorDifference& difference) {
    const auto x = a_.bytes(a);
    const auto y = b_.bytes(b);
    if (std::ranges::equal(x, y)) return;
    const std::size_t size = dtype_size(a.dtype).value_or(1);
    const ReadElement read = element_reader(a.dtype);
    double most = 0;
    for (std::size_t i = 0; i < x.size() / size; ++i) {
      if (std::ranges::equal(x.subspan(i * size, size), y.subspan(i * size, size))) continue;
      ++difference.elements;
      if (read == nullptr) continue;
      const double one = read(x, i);
      const double other = read(y, i);
      if (std::isnan(one) && std::isnan(other)) continue;
      const double distance = one == other ? 0 : std::abs(one - other);
      if (std::isnan(distance) || distance > most) most = distance;
    }
    difference.max_difference = most;
  }

  const TensorEntry* tensor(const CheckpointFile& file, const ConfigValue* value) const {
    const ConfigValue* name = value == nullptr ? nullptr : value->find(document::tensor_key);
    return name == nullptr || !name->is_string() ? nullptr : &file.at(name->as_string());
  }
  static std::optional<ConfigValue> optional(const ConfigValue* value) {
    return value == nullptr ? std::nullopt : std::optional(*value);
  }

  const CheckpointFile& a_;
  const CheckpointFile& b_;
  std::string place_;
  CheckpointDiff diff_;
};

ConfigValue to_json(const std::optional<TensorType>& type) {
  if (!type) return nullptr;
  ConfigValue value = ConfigValue::object();
  value.set("dtype", type->dtype);
  value.set("shape", type->shape);
  return value;
}

}  // namespace

CheckpointDiff diff_checkpoints(const std::filesystem::path& a, const std::filesystem::path& b,
                                std::string_view below) {
  const CheckpointFile one = CheckpointFile::open(a, CheckpointCheck::on_use);
  const CheckpointFile other = CheckpointFile::open(b, CheckpointCheck::on_use);
  try {
    return Comparison(one, other).run(below);
  } catch (const ConfigError& error) {
    throw CheckpointError(error.file.find(b.filename().string()) != std::string::npos ? b : a,
                          fmt::format("its document is not a checkpoint's: {}", error.what()));
  }
}

ConfigValue to_json(const CheckpointDiff& diff) {
  ConfigValue result = ConfigValue::object();
  result.set("equal", diff.equal());
  result.set("equal_tensors", diff.equal_tensors);
  ConfigValue& tensors = result.set("tensors", ConfigValue::array());
  for (const TensorDifference& difference : diff.tensors) {
    ConfigValue value = ConfigValue::object();
    value.set("place", difference.place);
    value.set("a", to_json(difference.a));
    value.set("b", to_json(difference.b));
    value.set("max_difference", difference.max_difference
                                    ? document::write_number(*difference.max_difference)
                                    : ConfigValue());
    value.set("elements", difference.elements);
    tensors.append(std::move(value));
  }
  ConfigValue& values = result.set("values", ConfigValue::array());
  for (const ValueDifference& difference : diff.values) {
    ConfigValue value = ConfigValue::object();
    value.set("place", difference.place);
    if (difference.a) value.set("a", *difference.a);
    if (difference.b) value.set("b", *difference.b);
    values.append(std::move(value));
  }
  return result;
}

}  // namespace grapnel::host
