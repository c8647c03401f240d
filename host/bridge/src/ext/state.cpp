// Extension state: limits, copies, types.
#include <grapnel/ext/state.h>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <cstring>
#include <type_traits>

#include <grapnel/base/text.h>

#include "../instance_host.h"
#include "../new_tensor.h"
#include "state_io.h"

namespace grapnel::bridge {
namespace {

constexpr std::size_t kMostKeyBytes = 512;
constexpr const char* kBytes = "bytes";  // the only key of a value put as bytes

bool has_control_character(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return true;
  }
  return false;
}

std::string_view checked_key(grapnel_string key) {
  const std::string_view text = checked_text(key, "key");
  if (text.empty() || text.size() > kMostKeyBytes || has_control_character(text)) {
    throw ContractBreach{fmt::format("the key {} is not 1 to {} bytes without control characters",
                                     quote(text), kMostKeyBytes)};
  }
  return text;
}

const at::Tensor* as_bytes(const StateValue& value) {
  if (!value.is_dict()) return nullptr;
  const StateValue* bytes = value.to_dict().find(kBytes);
  return bytes != nullptr && bytes->is_tensor() ? &bytes->to_tensor() : nullptr;
}

}  // namespace

// ---- Writer

void StateWriter::check(std::string_view key, std::uint64_t bytes) {
  if (keys_.contains(std::string(key))) {
    throw ContractBreach{fmt::format("key {} is written twice", quote(key))};
  }
  if (state_.size() >= GRAPNEL_STATE_MAX_ENTRIES) {
    throw ContractBreach{fmt::format("more than {} entries", GRAPNEL_STATE_MAX_ENTRIES)};
  }
  bytes_ += bytes + key.size();
  if (bytes > GRAPNEL_STATE_MAX_BYTES || bytes_ > GRAPNEL_STATE_MAX_BYTES) {
    throw ContractBreach{fmt::format("more than {} besides tensors, at key {}",
                                     human_bytes(GRAPNEL_STATE_MAX_BYTES), quote(key))};
  }
}

template <class Make>
std::int32_t StateWriter::put(const grapnel_state_writer* writer, const char* name,
                              grapnel_string key, std::uint64_t bytes, Make&& make) noexcept {
  if (writer == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  StateWriter& self = *reinterpret_cast<const Abi*>(writer)->self;
  return service(self.host_.abi(), name, [&](InstanceHost&) {
    const std::string_view text = checked_key(key);
    self.check(text, bytes);
    StateValue value = make();
    self.keys_.emplace(text);
    self.state_.append(std::string(text), std::move(value));
    return GRAPNEL_OK;
  });
}

StateWriter::StateWriter(InstanceHost& host) : abi_{}, host_(host) {
  static_assert(std::is_standard_layout_v<Abi>);
  abi_.self = this;
  grapnel_state_writer& table = abi_.table;
  table.struct_size = sizeof table;
  table.put_tensor = [](const grapnel_state_writer* writer, grapnel_string key,
                        const grapnel_tensor* tensor) noexcept {
    return put(writer, "state.put_tensor", key, 0,
               [&]() -> StateValue { return checked_tensor(tensor).tensor.detach().clone(); });
  };
  table.put_array = [](const grapnel_state_writer* writer, grapnel_string key, std::int32_t dtype,
                       const std::int64_t* sizes, std::uint64_t ndim, const void* data,
                       std::uint64_t bytes) noexcept {
    return put(writer, "state.put_array", key, bytes,
               [&]() -> StateValue { return new_tensor(dtype, sizes, ndim, data, bytes); });
  };
  table.put_i64 = [](const grapnel_state_writer* writer, grapnel_string key,
                     std::int64_t value) noexcept {
    return put(writer, "state.put_i64", key, sizeof value, [&]() -> StateValue { return value; });
  };
  table.put_f64 = [](const grapnel_state_writer* writer, grapnel_string key,
                     double value) noexcept {
    return put(writer, "state.put_f64", key, sizeof value, [&]() -> StateValue { return value; });
  };
  table.put_string = [](const grapnel_state_writer* writer, grapnel_string key,
                        grapnel_string value) noexcept {
    return put(writer, "state.put_string", key, value.size,
               [&]() -> StateValue { return std::string(checked_text(value, "text")); });
  };
  table.put_bytes = [](const grapnel_state_writer* writer, grapnel_string key, const void* data,
                       std::uint64_t size) noexcept {
    return put(writer, "state.put_bytes", key, size, [&]() -> StateValue {
      const auto length = static_cast<std::int64_t>(size);
      return StateDict{{kBytes, new_tensor(GRAPNEL_DTYPE_U8, &length, 1, data, size)}};
    });
  };
}

// ---- Reader

template <class Read>
std::int32_t StateReader::get(const grapnel_state_reader* reader, const char* name,
                              grapnel_string key, const void* output, Read&& read) noexcept {
  if (reader == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  StateReader& self = *reinterpret_cast<const Abi*>(reader)->self;
  return service(self.host_.abi(), name, [&](InstanceHost& host) {
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

StateReader::StateReader(InstanceHost& host, const StateDict& state, const std::string& version)
    : abi_{}, host_(host), state_(state) {
  static_assert(std::is_standard_layout_v<Abi>);
  index_.reserve(state.size());
  for (const auto& [key, value] : state) index_.emplace(key, &value);
  abi_.self = this;
  grapnel_state_reader& table = abi_.table;
  table.struct_size = sizeof table;
  table.version = to_abi(version);
  table.get_tensor = [](const grapnel_state_reader* reader, grapnel_string key,
                        grapnel_tensor** owned) noexcept {
    return get(reader, "state.get_tensor", key, owned,
               [&](InstanceHost& self, const StateValue& value) {
                 if (!value.is_tensor()) return false;
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
    if (reader == nullptr || count == nullptr) return GRAPNEL_INVALID_ARGUMENT;
    *count = reinterpret_cast<const Abi*>(reader)->self->state_.size();
    return GRAPNEL_OK;
  };
  table.key = [](const grapnel_state_reader* reader, std::uint64_t index,
                 grapnel_string* key) noexcept {
    if (reader == nullptr || key == nullptr) return GRAPNEL_INVALID_ARGUMENT;
    const StateDict& from = reinterpret_cast<const Abi*>(reader)->self->state_;
    if (index >= from.size()) return GRAPNEL_NOT_FOUND;
    *key = to_abi(from.begin()[static_cast<std::ptrdiff_t>(index)].first);
    return GRAPNEL_OK;
  };
}

}  // namespace grapnel::bridge
