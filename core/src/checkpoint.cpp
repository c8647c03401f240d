#include "grapnel/checkpoint.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <unordered_set>

#include "grapnel/base/checkpoint_file.h"
#include "grapnel/base/error.h"

namespace grapnel {

namespace {

struct Dtype {
  at::ScalarType type;
  const char* name;
};

constexpr Dtype kDtypes[] = {{at::kDouble, "F64"},    {at::kFloat, "F32"}, {at::kHalf, "F16"},
                             {at::kBFloat16, "BF16"}, {at::kLong, "I64"},  {at::kInt, "I32"},
                             {at::kShort, "I16"},     {at::kChar, "I8"},   {at::kByte, "U8"},
                             {at::kBool, "BOOL"}};

// A key that starts with '$' is one of ours; a user's own gets another '$' in front.
std::string escaped(const std::string& key) {
  return key.starts_with('$') ? "$" + key : key;
}
std::string unescaped(const std::string& key) {
  return key.starts_with("$$") ? key.substr(1) : key;
}

class Encoder {
 public:
  explicit Encoder(const std::filesystem::path& path) : path_(path) {}

  ConfigValue encode_root(const StateDict& root) {
    ConfigValue document = ConfigValue::object();
    for (const auto& [key, value] : root) {
      if (key == "callbacks" && value.is_dict()) {
        ConfigValue table = ConfigValue::array();
        size_t n = 0;
        for (const auto& [state_key, state] : value.to_dict()) {
          ConfigValue row = ConfigValue::object();
          row.set("state_key", state_key);
          row.set("state", encode(state, fmt::format("callbacks.{}", n++)));
          table.append(std::move(row));
        }
        document.set("$callbacks", std::move(table));
      } else {
        document.set(escaped(key), encode(value, prefix(key)));
      }
    }
    return document;
  }

  const std::vector<TensorView>& tensors() const { return views_; }

 private:
  static std::string prefix(const std::string& key) {
    if (key == "state_dict") return "model";
    if (key == "optimizer_states") return "optimizers";
    return key;
  }

  ConfigValue encode(const StateValue& value, const std::string& name) {
    if (value.is_null()) return {};
    if (value.is_bool()) return value.to_bool();
    if (value.is_int()) return value.to_int();
    if (value.is_double()) return encode_number(value.to_double());
    if (value.is_string()) return value.to_string();
    if (value.is_tensor()) return encode_tensor(value.to_tensor(), name);
    if (value.is_list()) {
      ConfigValue list = ConfigValue::array();
      size_t i = 0;
      for (const StateValue& item : value.to_list()) {
        list.append(encode(item, fmt::format("{}.{}", name, i++)));
      }
      return list;
    }
    ConfigValue dict = ConfigValue::object();
    for (const auto& [key, item] : value.to_dict()) {
      dict.set(escaped(key), encode(item, fmt::format("{}.{}", name, key)));
    }
    return dict;
  }

  static ConfigValue encode_number(double number) {
    if (std::isfinite(number)) return number;
    ConfigValue marked = ConfigValue::object();
    marked.set("$number", std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
    return marked;
  }

  ConfigValue encode_tensor(const at::Tensor& tensor, std::string name) {
    ConfigValue marked = ConfigValue::object();
    if (!tensor.defined()) {
      marked.set("$tensor", ConfigValue());
      return marked;
    }
    const char* dtype = nullptr;
    for (const Dtype& known : kDtypes) {
      if (known.type == tensor.scalar_type()) dtype = known.name;
    }
    if (dtype == nullptr || tensor.layout() != at::kStrided) {
      throw CheckpointError(path_, fmt::format("'{}' is a {} tensor, which the safetensors format "
                                               "doesn't have; convert it before it is saved",
                                               name, tensor.toString()));
    }
    for (int copy = 2; !names_.insert(name).second; ++copy) name = fmt::format("{}#{}", name, copy);
    at::Tensor data = tensor.detach().cpu().contiguous();
    views_.push_back({name,
                      dtype,
                      {data.sizes().begin(), data.sizes().end()},
                      {static_cast<const std::byte*>(data.const_data_ptr()), data.nbytes()}});
    alive_.push_back(std::move(data));
    marked.set("$tensor", std::move(name));
    return marked;
  }

  std::filesystem::path path_;
  std::vector<TensorView> views_;
  std::vector<at::Tensor> alive_;
  std::unordered_set<std::string> names_;
};

class Decoder {
 public:
  explicit Decoder(const CheckpointFile& file) : file_(file) {}

  StateDict decode_root() const {
    StateDict root;
    for (const ConfigValue::Member& member : file_.document().as_object()) {
      if (member.key != "$callbacks") {
        root[unescaped(member.key)] = decode(member.value);
        continue;
      }
      StateDict callbacks;
      for (const ConfigValue& row : member.value.as_array("callbacks")) {
        callbacks[row.at("state_key").as_string("state_key")] = decode(row.at("state"));
      }
      root["callbacks"] = std::move(callbacks);
    }
    return root;
  }

 private:
  StateValue decode(const ConfigValue& value) const {
    switch (value.kind()) {
      case ConfigValue::Kind::null:
        return {};
      case ConfigValue::Kind::boolean:
        return value.as_bool();
      case ConfigValue::Kind::integer:
        return value.as_int();
      case ConfigValue::Kind::number:
        return value.as_double();
      case ConfigValue::Kind::string:
        return value.as_string();
      case ConfigValue::Kind::array: {
        StateList list;
        for (const ConfigValue& item : value.as_array()) list.push_back(decode(item));
        return list;
      }
      case ConfigValue::Kind::object:
        break;
    }
    if (value.size() == 1) {
      if (const ConfigValue* name = value.find("$tensor")) return decode_tensor(*name);
      if (const ConfigValue* number = value.find("$number")) return number->as_double("$number");
    }
    StateDict dict;
    for (const ConfigValue::Member& member : value.as_object()) {
      dict[unescaped(member.key)] = decode(member.value);
    }
    return dict;
  }

  at::Tensor decode_tensor(const ConfigValue& name) const {
    if (name.is_null()) return {};
    const TensorEntry& entry = file_.at(name.as_string("$tensor"));
    for (const Dtype& known : kDtypes) {
      if (entry.dtype != known.name) continue;
      at::Tensor tensor = at::empty(entry.shape, at::TensorOptions().dtype(known.type));
      const auto bytes = file_.bytes(entry);
      if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
      return tensor;
    }
    throw CheckpointError(file_.path(),
                          fmt::format("tensor '{}' has the type {}, which this version "
                                      "doesn't know",
                                      entry.name, entry.dtype));
  }

  const CheckpointFile& file_;
};

}  // namespace

void save_checkpoint_file(const std::filesystem::path& path, const StateDict& checkpoint) {
  Encoder encoder(path);
  const ConfigValue document = encoder.encode_root(checkpoint);
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
  write_checkpoint_file(path, encoder.tensors(), document);
}

StateDict load_checkpoint_file(const std::filesystem::path& path) {
  const CheckpointFile file = CheckpointFile::open(path);
  try {
    return Decoder(file).decode_root();
  } catch (const ConfigError& error) {
    throw CheckpointError(path, fmt::format("its document is not as expected: {}", error.what()));
  }
}

}  // namespace grapnel
