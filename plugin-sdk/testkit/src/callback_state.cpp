// Saving and loading the state of an instance.
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <grapnel/testkit/recording_host.h>

#include "services.h"

namespace grapnel::testkit {

namespace {

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char first = byte(i);
    const std::size_t size = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
    if (size == 0 || i + size > text.size()) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    if (size == 3 && first == 0xe0 && byte(i + 1) < 0xa0) return false;   // too long
    if (size == 3 && first == 0xed && byte(i + 1) >= 0xa0) return false;  // a surrogate
    if (size == 4 && first == 0xf0 && byte(i + 1) < 0x90) return false;   // too long
    if (size == 4 && first == 0xf4 && byte(i + 1) >= 0x90) return false;  // past U+10FFFF
    i += size;
  }
  return true;
}

struct Writer {
  grapnel_state_writer abi;
  RecordedState* state;
  RecordingHost* host;

  static std::int32_t put(const grapnel_state_writer* writer, grapnel_string key,
                          RecordedState::Value value) {
    const Writer& self = *reinterpret_cast<const Writer*>(writer);
    RecordedState& state = *self.state;
    if (!is_text(key) || key.size == 0 || key.size > 512) {
      return self.host->refuse("state.put", "a key that is not 1 to 512 bytes");
    }
    const std::string name = text(key);
    for (const char c : name) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        return self.host->refuse("state.put", "a key with control characters");
      }
    }
    if (!is_utf8(name)) return self.host->refuse("state.put", "a key that is not UTF-8");
    if (state.find(name) != nullptr) return self.host->refuse("state.put", "a key twice");
    if (state.entries.size() >= GRAPNEL_STATE_MAX_ENTRIES) {
      return self.host->refuse("state.put", "more entries than a state may have");
    }
    state.entries.emplace_back(name, std::move(value));
    return GRAPNEL_OK;
  }
  // Of strings and bytes, before they are copied.
  std::int32_t check_size(const void* data, std::uint64_t size) const {
    if ((data == nullptr && size != 0) || size > GRAPNEL_STATE_MAX_BYTES - taken) {
      return host->refuse("state.put", "more bytes than a state may have");
    }
    taken += size;
    return GRAPNEL_OK;
  }
  mutable std::uint64_t taken = 0;
};

struct Reader {
  grapnel_state_reader abi;
  const RecordedState* state;
  RecordingHost* host;

  template <class T, class Take>
  static std::int32_t get(const grapnel_state_reader* reader, grapnel_string key,
                          const Take& take) {
    const auto* value = reinterpret_cast<const Reader*>(reader)->state->find(text(key));
    if (value == nullptr) return GRAPNEL_NOT_FOUND;
    const T* held = std::get_if<T>(value);
    if (held == nullptr) return GRAPNEL_INVALID_ARGUMENT;
    take(*held);
    return GRAPNEL_OK;
  }
};

}  // namespace

RecordedState RunningCallback::save() const {
  RecordedState saved;
  Writer writer{};
  writer.state = &saved;
  writer.host = host_;
  writer.abi.struct_size = sizeof(grapnel_state_writer);
  writer.abi.put_tensor = [](const grapnel_state_writer* w, grapnel_string key,
                             const grapnel_tensor* tensor) {
    if (tensor == nullptr || !reinterpret_cast<const Writer*>(w)->host->knows(tensor)) {
      return GRAPNEL_INVALID_ARGUMENT;
    }
    return Writer::put(
        w, key,
        std::make_shared<FakeTensor>(*RecordingHost::tensor(const_cast<grapnel_tensor*>(tensor))));
  };
  writer.abi.put_array = [](const grapnel_state_writer* w, grapnel_string key, std::int32_t dtype,
                            const std::int64_t* sizes, std::uint64_t ndim, const void* data,
                            std::uint64_t bytes) {
    auto tensor = fake_from_data(dtype, sizes, ndim, data, bytes);
    return tensor == nullptr ? GRAPNEL_INVALID_ARGUMENT : Writer::put(w, key, std::move(tensor));
  };
  writer.abi.put_i64 = [](const grapnel_state_writer* w, grapnel_string key, std::int64_t value) {
    return Writer::put(w, key, value);
  };
  writer.abi.put_f64 = [](const grapnel_state_writer* w, grapnel_string key, double value) {
    return Writer::put(w, key, value);
  };
  writer.abi.put_string = [](const grapnel_state_writer* w, grapnel_string key,
                             grapnel_string value) {
    const std::int32_t fits =
        reinterpret_cast<const Writer*>(w)->check_size(value.data, value.size);
    return fits == GRAPNEL_OK ? Writer::put(w, key, text(value)) : fits;
  };
  writer.abi.put_bytes = [](const grapnel_state_writer* w, grapnel_string key, const void* data,
                            std::uint64_t size) {
    const std::int32_t fits = reinterpret_cast<const Writer*>(w)->check_size(data, size);
    if (fits != GRAPNEL_OK) return fits;
    const auto* first = static_cast<const unsigned char*>(data);
    return Writer::put(w, key, std::vector<unsigned char>(first, first + size));
  };
  const std::int32_t status = state()->save(instance_, &writer.abi);
  if (status != GRAPNEL_OK) throw std::runtime_error("save answered " + std::to_string(status));
  return saved;
}

std::int32_t RunningCallback::load(const RecordedState& saved) {
  Reader reader{};
  reader.state = &saved;
  reader.host = host_;
  reader.abi.struct_size = sizeof(grapnel_state_reader);
  reader.abi.version = to_abi(saved.version);
  reader.abi.get_tensor = [](const grapnel_state_reader* r, grapnel_string key,
                             grapnel_tensor** owned) {
    return Reader::get<FakeTensorPtr>(r, key, [&](const FakeTensorPtr& tensor) {
      *owned = reinterpret_cast<const Reader*>(r)->host->new_handle(
          std::make_shared<FakeTensor>(*tensor));
    });
  };
  reader.abi.get_i64 = [](const grapnel_state_reader* r, grapnel_string key, std::int64_t* value) {
    return Reader::get<std::int64_t>(r, key, [&](std::int64_t held) { *value = held; });
  };
  reader.abi.get_f64 = [](const grapnel_state_reader* r, grapnel_string key, double* value) {
    return Reader::get<double>(r, key, [&](double held) { *value = held; });
  };
  reader.abi.get_string = [](const grapnel_state_reader* r, grapnel_string key,
                             grapnel_string* value) {
    return Reader::get<std::string>(r, key,
                                    [&](const std::string& held) { *value = to_abi(held); });
  };
  reader.abi.get_bytes = [](const grapnel_state_reader* r, grapnel_string key, const void** data,
                            std::uint64_t* size) {
    return Reader::get<std::vector<unsigned char>>(r, key, [&](const auto& held) {
      *data = held.data();
      *size = held.size();
    });
  };
  reader.abi.count = [](const grapnel_state_reader* r, std::uint64_t* out) {
    *out = reinterpret_cast<const Reader*>(r)->state->entries.size();
    return GRAPNEL_OK;
  };
  reader.abi.key = [](const grapnel_state_reader* r, std::uint64_t index, grapnel_string* key) {
    const auto& entries = reinterpret_cast<const Reader*>(r)->state->entries;
    if (index >= entries.size()) return GRAPNEL_NOT_FOUND;
    *key = to_abi(entries[index].first);
    return GRAPNEL_OK;
  };
  reader.abi.type = [](const grapnel_state_reader* r, grapnel_string key, std::int32_t* type) {
    const auto* value = reinterpret_cast<const Reader*>(r)->state->find(text(key));
    if (value == nullptr) return GRAPNEL_NOT_FOUND;
    static constexpr std::int32_t types[] = {GRAPNEL_STATE_TYPE_I64, GRAPNEL_STATE_TYPE_F64,
                                             GRAPNEL_STATE_TYPE_STRING, GRAPNEL_STATE_TYPE_BYTES,
                                             GRAPNEL_STATE_TYPE_TENSOR};
    *type = types[value->index()];
    return GRAPNEL_OK;
  };
  return state()->load(instance_, &reader.abi);
}

}  // namespace grapnel::testkit
