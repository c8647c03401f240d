#include "checkpoints/checkpoint_document.h"

#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "grapnel/base/digest.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

ConfigValue special(const char* kind, ConfigValue content) {
  ConfigValue value = ConfigValue::object();
  value.set(kind, std::move(content));
  return value;
}

ConfigValue text_value(const std::string& text) {
  if (is_utf8(text)) return text;
  return special("$bytes", hex(std::as_bytes(std::span(text))));
}

ConfigValue number_value(double number) {
  if (std::isfinite(number)) return number;
  return special("$number", std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
}

class Encoder {
 public:
  CheckpointParts run(const StateDict& checkpoint) {
    if (const StateValue* callbacks = checkpoint.find("callbacks");
        callbacks && callbacks->is_dict()) {
      for (const auto& [key, state] : callbacks->to_dict()) callback_keys_.push_back(key);
    }
    ConfigValue encoded = dict(checkpoint);
    ConfigValue document = ConfigValue::object();
    ConfigValue keys = ConfigValue::array();
    for (const std::string& key : callback_keys_) keys.append(text_value(key));
    document.set("callback_keys", std::move(keys));
    document.set("checkpoint", std::move(encoded));
    return {std::move(document), std::move(tensors_)};
  }

 private:
  ConfigValue value(const StateValue& state) {
    if (state.is_null()) return nullptr;
    if (state.is_bool()) return state.to_bool();
    if (state.is_int()) return state.to_int();
    if (state.is_double()) return number_value(state.to_double());
    if (state.is_string()) return text_value(state.to_string());
    if (state.is_tensor()) return tensor(state.to_tensor());
    if (state.is_dict()) return dict(state.to_dict());
    ConfigValue list = ConfigValue::array();
    for (const StateValue& element : state.to_list()) {
      list.append(below(std::to_string(list.size()), element));
    }
    return list;
  }

  ConfigValue dict(const StateDict& state) {
    bool plain = true;
    for (const auto& [key, element] : state) {
      plain = plain && is_utf8(key) && !key.starts_with('$');
    }
    // The members are distinct already; set() would look for each key among all before it.
    ConfigValue::Object members;
    ConfigValue::Array pairs;
    for (const auto& [key, element] : state) {
      ConfigValue encoded = below(key, element);
      if (plain) {
        members.push_back({key, std::move(encoded)});
      } else {
        pairs.push_back(ConfigValue::Array{text_value(key), std::move(encoded)});
      }
    }
    if (!plain) return special("$dict", std::move(pairs));
    ConfigValue object = ConfigValue::object();
    object.as_object() = std::move(members);
    return object;
  }

  ConfigValue tensor(const at::Tensor& original) {
    if (!original.defined()) return special("$tensor", nullptr);
    at::Tensor plain = on_cpu(original);
    ConfigValue reference = ConfigValue::object();
    const std::string name = free_name();
    reference.set("$tensor", name);
    if (plain.is_complex()) {
      if (plain.scalar_type() == at::kComplexHalf) refuse(original, "is of type complex32");
      reference.set("dtype", plain.scalar_type() == at::kComplexFloat ? "complex64" : "complex128");
      plain = at::view_as_real(plain);
    }
    tensors_.push_back({name, std::move(plain)});
    return reference;
  }

  at::Tensor on_cpu(const at::Tensor& original) const {
    if (original.layout() != c10::kStrided) {
      refuse(original, "is sparse; save its dense form");
    }
    if (original.is_quantized()) refuse(original, "is quantized; save its dequantized form");
    if (original.is_meta()) refuse(original, "has no data (it is on the meta device)");
    return original.detach().cpu().resolve_conj().resolve_neg().contiguous();
  }

  [[noreturn]] void refuse(const at::Tensor& tensor, std::string_view why) const {
    throw Error(fmt::format("the tensor at {} {} ({})", quote(join(path_, ".")), why,
                            StateValue(tensor).describe()));
  }

  ConfigValue below(std::string key, const StateValue& element) {
    path_.push_back(std::move(key));
    ConfigValue encoded = value(element);
    path_.pop_back();
    return encoded;
  }

  // The tensor's name as checkpoint.h draws it; unique, UTF-8, none of the container's.
  std::string free_name() {
    const auto from = [this](size_t first) { return join(std::span(path_).subspan(first), "."); };
    const std::string part = path_.size() > 1 ? path_[0] : "";
    std::string name = from(0);
    if (part == "state_dict" && path_.size() == 2) name = "model." + path_[1];
    if (part == "optimizer_states") name = "optimizers." + from(1);
    if (part == "callbacks" && !callback_keys_.empty()) {
      name = fmt::format("callbacks.{}.{}", callback_number(path_[1]), from(2));
    }
    if (name.empty() || name.starts_with("grapnel.") || name == "__metadata__") {
      name = "state." + name;
    }
    if (!is_utf8(name)) name = printable(name, name.size() * 4 + 4);
    std::string unique = name;
    for (int count = 2; !names_.insert(unique).second; ++count) {
      unique = fmt::format("{}#{}", name, count);
    }
    return unique;
  }

  int64_t callback_number(const std::string& key) const {
    return std::find(callback_keys_.begin(), callback_keys_.end(), key) - callback_keys_.begin();
  }

  std::vector<std::string> path_;  // keys down to the present value
  std::vector<NamedTensor> tensors_;
  std::vector<std::string> callback_keys_;
  std::set<std::string> names_;
};

class Decoder {
 public:
  using TensorOf = std::function<at::Tensor(const std::string&)>;
  explicit Decoder(const TensorOf& tensor) : tensor_of_(tensor) {}

  StateDict dict(const ConfigValue& value) const {
    StateDict state;
    if (const ConfigValue* pairs = value.find("$dict")) {
      for (const ConfigValue& pair : pairs->as_array("$dict")) {
        if (pair.as_array("$dict").size() != 2) throw pair.error("not a pair of key and value");
        state[text(pair.as_array()[0])] = decode(pair.as_array()[1]);
      }
      return state;
    }
    for (const auto& member : value.as_object()) state.append(member.key, decode(member.value));
    return state;
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
        for (const ConfigValue& element : value.as_array()) list.push_back(decode(element));
        return list;
      }
      case ConfigValue::Kind::object:
        break;
    }
    if (value.contains("$bytes")) return text(value);
    if (const ConfigValue* number = value.find("$number")) return number->as_double("$number");
    if (const ConfigValue* name = value.find("$tensor")) return tensor(value, *name);
    return dict(value);
  }

  static std::string text(const ConfigValue& value) {
    const ConfigValue* bytes = value.find("$bytes");
    if (bytes == nullptr) return value.as_string("$dict");
    const auto decoded = unhex(bytes->as_string("$bytes"));
    if (!decoded) throw bytes->error("not hexadecimal");
    return *decoded;
  }

  at::Tensor tensor(const ConfigValue& value, const ConfigValue& name) const {
    if (name.is_null()) return {};
    at::Tensor found = tensor_of_(name.as_string("$tensor"));
    const ConfigValue* dtype = value.find("dtype");
    if (dtype == nullptr) return found;
    const bool fits = found.is_floating_point() && found.dim() > 0 && found.size(-1) == 2;
    if (!fits) throw dtype->error(fmt::format("{} is no complex tensor", name.as_string()));
    return at::view_as_complex(found);
  }

  const TensorOf& tensor_of_;
};

}  // namespace

CheckpointParts take_apart(const StateDict& checkpoint) {
  return Encoder().run(checkpoint);
}

StateDict put_together(const ConfigValue& document,
                       const std::function<at::Tensor(const std::string& name)>& tensor) {
  return Decoder(tensor).dict(document.at("checkpoint"));
}

}  // namespace grapnel
