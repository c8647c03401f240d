// Extension state: limits, copies, types.
#include <grapnel/ext/state.h>

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/base/utf8.h>
#include <grapnel/tensor_bytes.h>

#include "../instance_host.h"
#include "../new_tensor.h"
#include "state_io.h"

namespace grapnel::bridge {
namespace {

constexpr const char* kBytes = "bytes";  // the only key of a value put as bytes

std::string_view checked_key(grapnel_string key) {
  const std::string_view text = checked_text(key, "key");
  if (!is_state_key(text)) {
    throw ContractBreach{fmt::format("the key {} is not 1 to {} bytes without control characters",
                                     quote(text), kMostStateKeyBytes)};
  }
  return text;
}

const at::Tensor* as_bytes(const StateValue& value) {
  if (!value.is_dict() || value.to_dict().size() != 1) return nullptr;
  const StateValue* bytes = value.to_dict().find(kBytes);
  if (bytes == nullptr || !bytes->is_tensor()) return nullptr;
  const at::Tensor& tensor = bytes->to_tensor();
  const bool plain = tensor.defined() && tensor.layout() == c10::kStrided && tensor.is_cpu() &&
                     tensor.scalar_type() == at::kByte && tensor.dim() == 1 &&
                     tensor.is_contiguous();
  return plain ? &tensor : nullptr;
}

// GRAPNEL_STATE_TYPE_...
std::int32_t type_of(const StateValue& value) {
  if (value.is_int()) return GRAPNEL_STATE_TYPE_I64;
  if (value.is_double()) return GRAPNEL_STATE_TYPE_F64;
  if (value.is_string()) return GRAPNEL_STATE_TYPE_STRING;
  if (as_bytes(value) != nullptr) return GRAPNEL_STATE_TYPE_BYTES;
  return value.is_tensor() && value.to_tensor().defined() ? GRAPNEL_STATE_TYPE_TENSOR
                                                          : GRAPNEL_STATE_TYPE_OTHER;
}

// Refuses what a checkpoint cannot hold now, rather than when the checkpoint is written.
void check_storable(const at::Tensor& tensor) {
  const auto refuse = [](const std::string& why) { throw ContractBreach{"the tensor " + why}; };
  if (tensor.layout() != c10::kStrided) refuse("is sparse; put its dense form");
  if (tensor.is_quantized()) refuse("is quantized; put its dequantized form");
  if (tensor.is_meta()) refuse("has no data: it is on the meta device");
  const c10::ScalarType type = tensor.scalar_type();
  if (type == at::kComplexFloat || type == at::kComplexDouble) return;
  try {
    tensor_view({}, tensor);
  } catch (const DataError&) {
    refuse(fmt::format("has the type {}, which checkpoints do not support", c10::toString(type)));
  }
}

}  // namespace

bool is_state_key(std::string_view text) noexcept {
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  };
  return !text.empty() && text.size() <= kMostStateKeyBytes && is_utf8(text) &&
         std::none_of(text.begin(), text.end(), is_control);
}

// ---- Writer

void StateWriter::check(std::string_view key, std::uint64_t bytes) {
  if (keys_.contains(std::string(key))) {
    throw ContractBreach{fmt::format("key {} is written twice", quote(key))};
  }
  if (state_.size() >= GRAPNEL_STATE_MAX_ENTRIES) {
    throw ContractBreach{fmt::format("more than {} entries", GRAPNEL_STATE_MAX_ENTRIES)};
  }
  // At most the limit is taken already, and a key is short: nothing overflows.
  if (bytes > GRAPNEL_STATE_MAX_BYTES || bytes_ + bytes + key.size() > GRAPNEL_STATE_MAX_BYTES) {
    throw ContractBreach{fmt::format("more than {} besides tensors, at key {}",
                                     human_bytes(GRAPNEL_STATE_MAX_BYTES), quote(key))};
  }
}

void StateWriter::open() {
  close();
  open_ = true;
}

StateDict StateWriter::close() {
  open_ = false;
  keys_.clear();
  bytes_ = 0;
  return std::exchange(state_, {});
}

template <class Make>
std::int32_t StateWriter::put(const grapnel_state_writer* writer, const char* name,
                              grapnel_string key, std::uint64_t bytes, Make&& make) noexcept {
  if (writer == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const Abi& abi = *reinterpret_cast<const Abi*>(writer);
  return service(abi.host, name, [&](InstanceHost& host) -> std::int32_t {
    StateWriter& self = *abi.self;  // as alive as the host
    if (!self.open_) return host.not_now(name, "called after save returned");
    const std::string_view text = checked_key(key);
    self.check(text, bytes);
    StateValue value = make(host);
    self.keys_.emplace(text);
    self.state_.append(std::string(text), std::move(value));
    self.bytes_ += bytes + text.size();
    return GRAPNEL_OK;
  });
}

StateWriter::StateWriter(InstanceHost& host) : abi_(keep_forever(std::make_unique<Abi>())) {
  static_assert(std::is_standard_layout_v<Abi>);
  abi_.host = host.abi();
  abi_.self = this;
  grapnel_state_writer& table = abi_.table;
  table.struct_size = sizeof table;
  table.put_tensor = [](const grapnel_state_writer* writer, grapnel_string key,
                        const grapnel_tensor* tensor) noexcept {
    return put(writer, "state.put_tensor", key, 0, [&](const InstanceHost& owner) -> StateValue {
      const at::Tensor& given = checked_tensor(owner, tensor).tensor;
      check_storable(given);
      return with_memory(given.detach()).clone();
    });
  };
  table.put_array = [](const grapnel_state_writer* writer, grapnel_string key, std::int32_t dtype,
                       const std::int64_t* sizes, std::uint64_t ndim, const void* data,
                       std::uint64_t bytes) noexcept {
    return put(writer, "state.put_array", key, bytes, [&](const InstanceHost&) -> StateValue {
      return new_tensor(dtype, sizes, ndim, data, bytes);
    });
  };
  table.put_i64 = [](const grapnel_state_writer* writer, grapnel_string key,
                     std::int64_t value) noexcept {
    return put(writer, "state.put_i64", key, sizeof value,
               [&](const InstanceHost&) -> StateValue { return value; });
  };
  table.put_f64 = [](const grapnel_state_writer* writer, grapnel_string key,
                     double value) noexcept {
    return put(writer, "state.put_f64", key, sizeof value,
               [&](const InstanceHost&) -> StateValue { return value; });
  };
  table.put_string = [](const grapnel_state_writer* writer, grapnel_string key,
                        grapnel_string value) noexcept {
    return put(writer, "state.put_string", key, value.size, [&](const InstanceHost&) -> StateValue {
      return std::string(checked_text(value, "text"));
    });
  };
  table.put_bytes = [](const grapnel_state_writer* writer, grapnel_string key, const void* data,
                       std::uint64_t size) noexcept {
    return put(writer, "state.put_bytes", key, size, [&](const InstanceHost&) -> StateValue {
      const auto length = static_cast<std::int64_t>(size);
      return StateDict{{kBytes, new_tensor(GRAPNEL_DTYPE_U8, &length, 1, data, size)}};
    });
  };
}

// ---- Reader

template <class Use>
std::int32_t StateReader::use(const grapnel_state_reader* reader, const char* name,
                              Use&& use) noexcept {
  if (reader == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const Abi& abi = *reinterpret_cast<const Abi*>(reader);
  return service(abi.host, name, [&](InstanceHost& host) -> std::int32_t {
    StateReader& self = *abi.self;  // as alive as the host
    if (self.state_ == nullptr) return host.not_now(name, "called after load returned");
    return use(self, host);
  });
}

template <class Read>
std::int32_t StateReader::get(const grapnel_state_reader* reader, const char* name,
                              grapnel_string key, const void* output, Read&& read) noexcept {
  return use(reader, name, [&](StateReader& self, InstanceHost& host) -> std::int32_t {
    check_output(output);
    const std::string_view text = checked_text(key, "key");
    const auto found = self.index_.find(text);
    if (found == self.index_.end()) return GRAPNEL_NOT_FOUND;
    const StateValue& value = *found->second;
    if (!read(host, value)) {
      throw ContractBreach{fmt::format("{} is {}", quote(text),
                                       as_bytes(value) != nullptr ? "bytes" : value.describe())};
    }
    return GRAPNEL_OK;
  });
}

void StateReader::open(const StateDict& state, const std::string& version) {
  index_.clear();
  index_.reserve(state.size());
  for (const auto& [key, value] : state) index_.emplace(key, &value);
  abi_.table.version = to_abi(version);
  state_ = &state;
}

void StateReader::close() {
  state_ = nullptr;
  index_.clear();
  abi_.table.version = {};
}

StateReader::StateReader(InstanceHost& host) : abi_(keep_forever(std::make_unique<Abi>())) {
  static_assert(std::is_standard_layout_v<Abi>);
  abi_.host = host.abi();
  abi_.self = this;
  grapnel_state_reader& table = abi_.table;
  table.struct_size = sizeof table;
  table.get_tensor = [](const grapnel_state_reader* reader, grapnel_string key,
                        grapnel_tensor** owned) noexcept {
    return get(reader, "state.get_tensor", key, owned,
               [&](InstanceHost& self, const StateValue& value) {
                 if (!value.is_tensor() || !value.to_tensor().defined()) return false;
                 // A copy: the state may be kept and returned again.
                 *owned = self.tensors.own(value.to_tensor().detach().clone());
                 return true;
               });
  };
  table.get_i64 = [](const grapnel_state_reader* reader, grapnel_string key,
                     std::int64_t* out) noexcept {
    return get(reader, "state.get_i64", key, out, [&](InstanceHost&, const StateValue& value) {
      if (value.is_int()) *out = value.to_int();
      return value.is_int();
    });
  };
  table.get_f64 = [](const grapnel_state_reader* reader, grapnel_string key, double* out) noexcept {
    return get(reader, "state.get_f64", key, out, [&](InstanceHost&, const StateValue& value) {
      if (value.is_double()) *out = value.to_double();
      return value.is_double();
    });
  };
  table.get_string = [](const grapnel_state_reader* reader, grapnel_string key,
                        grapnel_string* out) noexcept {
    return get(reader, "state.get_string", key, out, [&](InstanceHost&, const StateValue& value) {
      if (value.is_string()) *out = to_abi(value.to_string());
      return value.is_string();
    });
  };
  table.get_bytes = [](const grapnel_state_reader* reader, grapnel_string key, const void** data,
                       std::uint64_t* size) noexcept {
    return get(reader, "state.get_bytes", key, data, [&](InstanceHost&, const StateValue& value) {
      const at::Tensor* bytes = as_bytes(value);
      if (bytes == nullptr) return false;
      check_output(size);
      *data = bytes->const_data_ptr();
      *size = bytes->nbytes();
      return true;
    });
  };
  table.count = [](const grapnel_state_reader* reader, std::uint64_t* count) noexcept {
    return use(reader, "state.count", [&](StateReader& self, InstanceHost&) {
      check_output(count);
      *count = self.state_->size();
      return GRAPNEL_OK;
    });
  };
  table.key = [](const grapnel_state_reader* reader, std::uint64_t index,
                 grapnel_string* key) noexcept {
    return use(reader, "state.key", [&](StateReader& self, InstanceHost&) {
      check_output(key);
      if (index >= self.state_->size()) return GRAPNEL_NOT_FOUND;
      *key = to_abi(self.state_->begin()[static_cast<std::ptrdiff_t>(index)].first);
      return GRAPNEL_OK;
    });
  };
  table.type = [](const grapnel_state_reader* reader, grapnel_string key,
                  std::int32_t* type) noexcept {
    return get(reader, "state.type", key, type, [&](InstanceHost&, const StateValue& value) {
      *type = type_of(value);
      return true;
    });
  };
}

}  // namespace grapnel::bridge
