// What a plugin saves and loads through the extension state.
//
// Bytes that are not JSON are calls of the writer: what it accepts is answered by the reader, in one way
// each, and all else is refused. A JSON object is the state that a checkpoint has for the plugin: refused
// with a CheckpointError that names the plugin, or read in every way. (Files: checkpoint_document.)
#include <grapnel/base/error.h>
#include <grapnel/base/json.h>
#include <grapnel/ext/state.h>
#include <grapnel/state_dict.h>

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "../bridge/support/in_process_plugin.h"
#include "fuzz_target.h"

namespace plugin_state_fuzz {

using namespace grapnel;
using fuzz::require;
using test::Caller;

namespace {

// Takes values from the front of the bytes; zeros when they are used up.
class Source {
 public:
  explicit Source(std::span<const std::byte> bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  template <class T>
  T value() {
    T result{};
    const auto taken = take(sizeof result);
    std::memcpy(&result, taken.data(), taken.size());
    return result;
  }
  std::string_view text() { return fuzz::as_text(take(value<std::uint8_t>())); }

 private:
  std::span<const std::byte> take(std::size_t size) {
    const auto taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::span<const std::byte> rest_;
};

// The bytes' own size, or one that no plugin could have.
grapnel_string hostile(std::string_view text, std::uint8_t how) {
  if (how == 0xff) return {nullptr, text.size()};
  if (how >= 0xf0) return {text.data(), std::numeric_limits<std::uint64_t>::max() - how};
  return {text.data(), text.size()};
}

std::int32_t put_one(const Caller& caller, const grapnel_state_writer* writer, Source& source) {
  const auto what = source.value<std::uint8_t>();
  const grapnel_string key = hostile(source.text(), source.value<std::uint8_t>());
  const auto how = source.value<std::uint8_t>();
  switch (what % 6) {
    case 0: {
      const std::string_view data = source.text();
      std::vector<float> numbers(data.size() / sizeof(float));
      if (!numbers.empty())
        std::memcpy(numbers.data(), data.data(), numbers.size() * sizeof(float));
      grapnel_tensor* const tensor = caller.floats(numbers);
      const std::int32_t status = writer->put_tensor(writer, key, how == 0xff ? nullptr : tensor);
      require(caller.tensors().release(caller.host, tensor) == GRAPNEL_OK);
      return status;
    }
    case 1: {
      std::int64_t sizes[8] = {};
      const auto ndim = source.value<std::uint8_t>() % 9u;
      for (std::uint32_t i = 0; i < ndim; ++i) {
        const auto size = source.value<std::int16_t>();
        sizes[i] = how == 0xfe && size > 0 ? std::numeric_limits<std::int64_t>::max() - size : size;
      }
      const grapnel_string data = hostile(source.text(), how);
      return writer->put_array(writer, key, what / 6, how == 0xfd ? nullptr : sizes, ndim,
                               data.data, data.size);
    }
    case 2:
      return writer->put_i64(writer, key, source.value<std::int64_t>());
    case 3:
      return writer->put_f64(writer, key, source.value<double>());
    case 4:
      return writer->put_string(writer, key, hostile(source.text(), how));
    default: {
      const grapnel_string data = hostile(source.text(), how);
      return writer->put_bytes(writer, key, data.data, data.size);
    }
  }
}

// Asks for a key in every way; the types exclude each other. Returns how many answers it had.
int read_one(const Caller& caller, const grapnel_state_reader* reader, grapnel_string key) {
  grapnel_tensor* tensor = nullptr;
  std::int64_t integer = 0;
  double number = 0;
  grapnel_string text{};
  const void* data = nullptr;
  std::uint64_t size = 0;
  int answers = 0;
  const auto answered = [&](std::int32_t status) {
    require(status == GRAPNEL_OK || status == GRAPNEL_INVALID_ARGUMENT);
    answers += status == GRAPNEL_OK ? 1 : 0;
    return status == GRAPNEL_OK;
  };
  std::int32_t type = -1;
  require(reader->type(reader, key, &type) == GRAPNEL_OK);
  require(type >= GRAPNEL_STATE_TYPE_OTHER && type <= GRAPNEL_STATE_TYPE_BYTES);
  if (answered(reader->get_tensor(reader, key, &tensor))) {
    const grapnel_tensor_info& info = caller.describe(tensor);
    require(info.struct_size == sizeof info);
    require(caller.tensors().release(caller.host, tensor) == GRAPNEL_OK);
  }
  answered(reader->get_i64(reader, key, &integer));
  answered(reader->get_f64(reader, key, &number));
  if (answered(reader->get_string(reader, key, &text))) (void)std::string(text.data, text.size);
  if (answered(reader->get_bytes(reader, key, &data, &size))) {
    (void)std::string(static_cast<const char*>(data), size);
  }
  return answers;
}

struct Probe {
  test::InProcessPlugin plugin;
  Source source{{}};
  std::uint64_t accepted = 0;
  bool came_back = true;  // all that was accepted is answered, in exactly one way

  Probe() {
    plugin.save = [this](const Caller& caller, const grapnel_state_writer* writer) {
      accepted = 0;
      for (int i = 0; i < 64 && !source.empty(); ++i) {
        const std::int32_t status = put_one(caller, writer, source);
        require(status == GRAPNEL_OK || status == GRAPNEL_INVALID_ARGUMENT ||
                status == GRAPNEL_UNSUPPORTED);  // an element type of a newer header
        accepted += status == GRAPNEL_OK ? 1 : 0;
      }
      return GRAPNEL_OK;
    };
    plugin.load = [this](const Caller& caller, const grapnel_state_reader* reader) {
      std::uint64_t count = 0;
      require(reader->count(reader, &count) == GRAPNEL_OK);
      came_back = count == accepted;
      for (std::uint64_t i = 0; i < count; ++i) {
        grapnel_string key{};
        require(reader->key(reader, i, &key) == GRAPNEL_OK);
        came_back = read_one(caller, reader, key) == 1 && came_back;
      }
      return GRAPNEL_OK;
    };
  }
};

StateDict dict_of(const ConfigValue& object);

// {"$tensor": "U8"} is one of bytes, {"$tensor": null} an undefined one, any other of floats.
StateValue value_of(const ConfigValue& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_integer()) return value.as_int();
  if (value.is_number()) return value.as_double();
  if (value.is_string()) return value.as_string();
  if (value.is_array()) {
    StateList list;
    for (const ConfigValue& element : value.as_array()) list.push_back(value_of(element));
    return list;
  }
  if (!value.is_object()) return {};
  const ConfigValue* tensor = value.find("$tensor");
  if (tensor == nullptr) return dict_of(value);
  if (tensor->is_null()) return at::Tensor();
  const bool bytes = tensor->is_string() && tensor->as_string() == "U8";
  return at::zeros({2}, bytes ? at::kByte : at::kFloat);
}

StateDict dict_of(const ConfigValue& object) {
  StateDict state;
  for (const ConfigValue::Member& member : object.as_object()) {
    state.append(member.key, value_of(member.value));
  }
  return state;
}

void save_and_load(Probe& probe, bridge::PluginCallback& callback,
                   std::span<const std::byte> bytes) {
  probe.source = Source(bytes);
  callback.load_state_dict(callback.state_dict());
  require(probe.came_back);
}

void load(bridge::PluginCallback& callback, const StateDict& state) {
  try {
    callback.load_state_dict(state);
  } catch (const CheckpointError& error) {
    require(std::string_view(error.what()).find("plugin 'probe'") != std::string_view::npos);
  }
}

}  // namespace

GRAPNEL_FUZZ_TARGET(plugin_state) {
  static Probe& probe = *new Probe;  // outlives the callback
  static const auto callback = probe.plugin.make();
  ConfigValue document;
  try {
    document = parse_json(fuzz::as_text(bytes), "fuzz");
  } catch (const ConfigError&) {
    save_and_load(probe, *callback, bytes);
    return;
  }
  if (document.is_object()) load(*callback, dict_of(document));
}

}  // namespace plugin_state_fuzz
