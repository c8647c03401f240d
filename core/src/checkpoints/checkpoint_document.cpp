#include "checkpoints/checkpoint_document.h"

#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "grapnel/base/document_notation.h"
#include "grapnel/base/text.h"
#include "grapnel/copy_on_write.h"
#include "values/config_state.h"

namespace grapnel {

namespace {

// The tensor must not change with the one that it shares memory with.
void detach_memory(NamedTensor& named) {
  DetachedCopy copy = detached_copy(named.tensor);
  named.is_shared = copy.is_lazy;
  named.tensor = std::move(copy.tensor);
}

class Encoder {
 public:
  explicit Encoder(Sharing sharing) : sharing_(sharing) {}

  CheckpointParts run(const StateDict& checkpoint) {
    if (const StateValue* callbacks = checkpoint.find("callbacks");
        callbacks && callbacks->is_dict()) {
      for (const auto& [key, state] : callbacks->to_dict()) callback_keys_.push_back(key);
    }
    ConfigValue encoded = dict(checkpoint);
    ConfigValue document = ConfigValue::object();
    ConfigValue keys = ConfigValue::array();
    for (const std::string& key : callback_keys_) keys.append(document::write_text(key));
    document.set("callback_keys", std::move(keys));
    document.set("checkpoint", std::move(encoded));
    return {std::move(document), std::move(tensors_)};
  }

 private:
  ConfigValue value(const StateValue& state) {
    if (state.is_double()) return document::write_number(state.to_double());
    if (state.is_string()) return document::write_text(state.to_string());
    if (state.is_tensor()) return tensor(state.to_tensor());
    if (state.is_dict()) return dict(state.to_dict());
    if (!state.is_list()) return config_of(state);
    ConfigValue list = ConfigValue::array();
    for (const StateValue& element : state.to_list()) {
      list.append(below(std::to_string(list.size()), element));
    }
    return list;
  }

  ConfigValue dict(const StateDict& state) {
    std::vector<std::pair<std::string, ConfigValue>> items;
    for (const auto& [key, element] : state) items.emplace_back(key, below(key, element));
    return document::write_dict(std::move(items));
  }

  ConfigValue tensor(const at::Tensor& original) {
    ConfigValue reference = ConfigValue::object();
    reference.set(document::tensor_key, nullptr);
    if (!original.defined()) return reference;
    at::Tensor plain = on_cpu(original);
    const std::string name = free_name();
    reference.set(document::tensor_key, name);
    if (plain.is_complex()) {
      if (plain.scalar_type() == at::kComplexHalf) refuse(original, "is of type complex32");
      reference.set("dtype", plain.scalar_type() == at::kComplexFloat ? "complex64" : "complex128");
      plain = at::view_as_real(plain);
    }
    tensors_.push_back({name, std::move(plain)});
    if (sharing_ == Sharing::snapshot && tensors_.back().tensor.is_alias_of(original)) {
      detach_memory(tensors_.back());
    }
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

  Sharing sharing_;
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
    for (const auto& [key, element] : document::read_dict(value)) {
      state.append(key, state_of(*element, [this](const ConfigValue& object) {
                     return this->object(object);
                   }));
    }
    return state;
  }

 private:
  StateValue object(const ConfigValue& value) const {
    if (document::is_bytes(value)) return document::read_text(value);
    if (const ConfigValue* number = value.find(document::number_key)) {
      return number->as_double(document::number_key);
    }
    if (const ConfigValue* name = value.find(document::tensor_key)) return tensor(value, *name);
    return dict(value);
  }

  at::Tensor tensor(const ConfigValue& value, const ConfigValue& name) const {
    if (name.is_null()) return {};
    at::Tensor found = tensor_of_(name.as_string(document::tensor_key));
    const ConfigValue* dtype = value.find("dtype");
    if (dtype == nullptr) return found;
    const std::string& type = dtype->as_string("dtype");
    if (type != "complex64" && type != "complex128") {
      throw dtype->error(fmt::format("{} is no type of complex tensors", quote(type)));
    }
    const bool fits = found.scalar_type() == (type == "complex64" ? at::kFloat : at::kDouble) &&
                      found.dim() > 0 && found.size(-1) == 2;
    if (!fits) {
      throw dtype->error(fmt::format("the tensor {} is not of pairs of numbers of {}",
                                     quote(name.as_string()), type));
    }
    return at::view_as_complex(found);
  }

  const TensorOf& tensor_of_;
};

}  // namespace

CheckpointParts take_apart(const StateDict& checkpoint, Sharing sharing) {
  return Encoder(sharing).run(checkpoint);
}

StateDict put_together(const ConfigValue& document,
                       const std::function<at::Tensor(const std::string& name)>& tensor) {
  return Decoder(tensor).dict(document.at("checkpoint"));
}

}  // namespace grapnel
