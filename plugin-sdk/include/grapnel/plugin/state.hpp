// An instance's state in checkpoints: save_state writes it, load_state reads it on resume.
//
//   void save_state(StateWriter& state) const override { state.put("seen", seen_); }
//   void load_state(const StateReader& state) override { seen_ = state.get("seen", seen_); }
//
// Each key is used once: 1 to 512 bytes of UTF-8 without control characters. Values are copied
// before put returns. A load that fails must change nothing: read everything first, then apply it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <grapnel/ext/state.h>
#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

using Bytes = std::vector<unsigned char>;

/// What a value was put as.
enum class StateType : std::int32_t {
  other = GRAPNEL_STATE_TYPE_OTHER,    ///< by no plugin; it can't be read
  tensor = GRAPNEL_STATE_TYPE_TENSOR,  ///< an array too
  i64 = GRAPNEL_STATE_TYPE_I64,        ///< any integer, and bool
  f64 = GRAPNEL_STATE_TYPE_F64,
  string = GRAPNEL_STATE_TYPE_STRING,
  bytes = GRAPNEL_STATE_TYPE_BYTES,
};

/// Valid until save_state returns.
class StateWriter {
 public:
  explicit StateWriter(const grapnel_state_writer& writer) noexcept : writer_(&writer) {}

  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  void put(std::string_view key, T value) {
    if constexpr (std::is_floating_point_v<T>) {
      check(service<&grapnel_state_writer::put_f64>()(writer_, detail::to_abi(key),
                                                      static_cast<double>(value)),
            key);
    } else {
      check(service<&grapnel_state_writer::put_i64>()(writer_, detail::to_abi(key),
                                                      static_cast<std::int64_t>(value)),
            key);
    }
  }
  void put(std::string_view key, std::string_view text) {
    check(service<&grapnel_state_writer::put_string>()(writer_, detail::to_abi(key),
                                                       detail::to_abi(text)),
          key);
  }
  void put(std::string_view key, const char* text) { put(key, std::string_view(text)); }
  void put(std::string_view key, const std::string& text) { put(key, std::string_view(text)); }
  void put(std::string_view key, const Tensor& tensor) {
    tensor.context();
    check(
        service<&grapnel_state_writer::put_tensor>()(writer_, detail::to_abi(key), tensor.handle()),
        key);
  }
  void put(std::string_view key, const Bytes& bytes) {
    check(service<&grapnel_state_writer::put_bytes>()(writer_, detail::to_abi(key), bytes.data(),
                                                      bytes.size()),
          key);
  }
  /// An array, saved as a tensor of one dimension.
  void put(std::string_view key, const std::vector<double>& values) {
    put_array(key, GRAPNEL_DTYPE_F64, values.data(), values.size(), sizeof(double));
  }
  void put(std::string_view key, const std::vector<std::int64_t>& values) {
    put_array(key, GRAPNEL_DTYPE_I64, values.data(), values.size(), sizeof(std::int64_t));
  }

 private:
  void put_array(std::string_view key, std::int32_t dtype, const void* data, std::size_t count,
                 std::size_t item) {
    const std::int64_t size = static_cast<std::int64_t>(count);
    check(service<&grapnel_state_writer::put_array>()(writer_, detail::to_abi(key), dtype, &size, 1,
                                                      data, count * item),
          key);
  }
  template <auto Function>
  detail::ValueOf<Function> service() const {
    return detail::field<Function>(*writer_, "this host's state writer");
  }
  static void check(std::int32_t status, std::string_view key) {
    if (status != GRAPNEL_OK) detail::fail_call(status, "saving state '" + std::string(key) + "'");
  }

  const grapnel_state_writer* writer_;
};

/// Valid until load_state returns.
class StateReader {
 public:
  StateReader(detail::Context& context, const grapnel_state_reader& reader) noexcept
      : context_(&context), reader_(&reader) {}

  std::string_view version() const {  ///< of the plugin that wrote the state
    return detail::from_abi(reader_->version);
  }
  std::vector<std::string> keys() const {
    std::uint64_t count = 0;
    check(service<&grapnel_state_reader::count>()(reader_, &count), "keys");
    std::vector<std::string> keys;
    for (std::uint64_t i = 0; i < count; ++i) {
      grapnel_string text{};
      check(service<&grapnel_state_reader::key>()(reader_, i, &text), "keys");
      keys.emplace_back(detail::from_abi(text));
    }
    return keys;
  }

  /// Empty for an absent key.
  std::optional<StateType> type(std::string_view key) const {
    std::int32_t type = 0;
    if (!found(service<&grapnel_state_reader::type>()(reader_, detail::to_abi(key), &type), key)) {
      return {};
    }
    return static_cast<StateType>(type);
  }

  /// T: std::int64_t, double, bool, std::string, Tensor, Bytes, std::vector<double> (also of an i64
  /// array) or std::vector<std::int64_t>. Empty for an absent key; Error for a value of another
  /// type.
  template <class T>
  std::optional<T> find(std::string_view key) const {
    const grapnel_string name = detail::to_abi(key);
    if constexpr (std::is_same_v<T, bool>) {
      const auto value = find<std::int64_t>(key);
      if (!value) return {};
      return *value != 0;
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      std::int64_t value = 0;
      if (!found(service<&grapnel_state_reader::get_i64>()(reader_, name, &value), key)) return {};
      return value;
    } else if constexpr (std::is_same_v<T, double>) {
      double value = 0;
      if (!found(service<&grapnel_state_reader::get_f64>()(reader_, name, &value), key)) return {};
      return value;
    } else if constexpr (std::is_same_v<T, std::string>) {
      grapnel_string value{};
      if (!found(service<&grapnel_state_reader::get_string>()(reader_, name, &value), key))
        return {};
      return std::string(detail::from_abi(value));
    } else if constexpr (std::is_same_v<T, Tensor>) {
      grapnel_tensor* owned = nullptr;
      if (!found(service<&grapnel_state_reader::get_tensor>()(reader_, name, &owned), key))
        return {};
      return Tensor::adopt(*context_, owned);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      const void* data = nullptr;
      std::uint64_t size = 0;
      if (!found(service<&grapnel_state_reader::get_bytes>()(reader_, name, &data, &size), key))
        return {};
      const auto* first = static_cast<const unsigned char*>(data);
      return Bytes(first, first + size);
    } else if constexpr (std::is_same_v<T, std::vector<double>>) {
      const auto tensor = find<Tensor>(key);
      if (!tensor) return {};
      return tensor->to_vector();
    } else {
      static_assert(std::is_same_v<T, std::vector<std::int64_t>>, "no state has this type");
      const auto tensor = find<Tensor>(key);
      if (!tensor) return {};
      return tensor->to_integers();
    }
  }
  /// The value. Throws Error for an absent key.
  template <class T>
  T get(std::string_view key) const {
    std::optional<T> value = find<T>(key);
    if (!value) detail::fail_call(GRAPNEL_NOT_FOUND, "state '" + std::string(key) + "'");
    return *std::move(value);
  }
  /// The value, or fallback for an absent key; the type follows the fallback's.
  template <class T>
  T get(std::string_view key, const T& fallback) const {
    std::optional<T> value = find<T>(key);
    return value ? *std::move(value) : fallback;
  }

 private:
  template <auto Function>
  detail::ValueOf<Function> service() const {
    return detail::field<Function>(*reader_, "this host's state reader");
  }
  static void check(std::int32_t status, std::string_view key) {
    if (status != GRAPNEL_OK) detail::fail_call(status, "loading state '" + std::string(key) + "'");
  }
  static bool found(std::int32_t status, std::string_view key) {
    if (status == GRAPNEL_NOT_FOUND) return false;
    if (status == GRAPNEL_INVALID_ARGUMENT) {
      throw Error("the state '" + std::string(key) + "' is of another type");
    }
    check(status, key);
    return true;
  }

  detail::Context* context_;
  const grapnel_state_reader* reader_;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
