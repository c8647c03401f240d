// The user's parameters of an instance, as plugin.json declares them.
//
// The host has checked their types and ranges. Reading an undeclared name, or another type than
// declared, throws Error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <grapnel/plugin/context.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// Valid from a callback's constructor on; copy it to keep it. [train-thread]
class Params {
 public:
  explicit Params(detail::Context& context) noexcept : context_(&context) {}

  /// The value as T: std::int64_t, double, bool, std::string, or a std::vector of one of these; a
  /// duration is a double of seconds. Empty if it is null.
  template <class T>
  std::optional<T> find(std::string_view name) const {
    if constexpr (std::is_same_v<T, bool>) {
      std::int32_t value = 0;
      if (!found(context_->call<&grapnel_params::get_bool>(detail::to_abi(name), &value), name,
                 "a boolean"))
        return {};
      return value != 0;
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      std::int64_t value = 0;
      if (!found(context_->call<&grapnel_params::get_i64>(detail::to_abi(name), &value), name,
                 "an integer"))
        return {};
      return value;
    } else if constexpr (std::is_same_v<T, double>) {
      double value = 0;
      if (!found(context_->call<&grapnel_params::get_f64>(detail::to_abi(name), &value), name,
                 "a number"))
        return {};
      return value;
    } else if constexpr (std::is_same_v<T, std::string>) {
      grapnel_string value{};
      if (!found(context_->call<&grapnel_params::get_string>(detail::to_abi(name), &value), name,
                 "a string"))
        return {};
      return std::string(detail::from_abi(value));
    } else {
      return find_list<typename T::value_type>(name);
    }
  }

  /// The value, or fallback if it is null. The type follows the fallback's: 1 asks for an integer,
  /// 0.5 for a number, true for a boolean, "mean" for a string.
  template <class T>
  auto get(std::string_view name, const T& fallback) const {
    using Value = typename Stored<T>::type;
    std::optional<Value> value = find<Value>(name);
    return value ? *std::move(value) : static_cast<Value>(fallback);
  }

  /// The value. Throws Error if it is null.
  template <class T>
  T get(std::string_view name) const {
    std::optional<T> value = find<T>(name);
    if (!value) throw Error("parameter '" + std::string(name) + "' has no value");
    return *std::move(value);
  }

 private:
  template <class T>
  struct Stored {
    using type = std::conditional_t<
        std::is_same_v<T, bool>, bool,
        std::conditional_t<std::is_integral_v<T>, std::int64_t,
                           std::conditional_t<std::is_floating_point_v<T>, double, std::string>>>;
  };
  template <class T>
  struct Stored<std::vector<T>> {
    using type = std::vector<T>;
  };

  template <class Item>
  std::optional<std::vector<Item>> find_list(std::string_view name) const {
    std::uint64_t size = 0;
    if (!found(context_->call<&grapnel_params::list_size>(detail::to_abi(name), &size), name,
               "a list"))
      return {};
    std::vector<Item> items;
    items.reserve(static_cast<std::size_t>(size));
    for (std::uint64_t i = 0; i < size; ++i) {
      if constexpr (std::is_same_v<Item, std::int64_t>) {
        std::int64_t item = 0;
        found(context_->call<&grapnel_params::list_i64>(detail::to_abi(name), i, &item), name,
              "a list of integers");
        items.push_back(item);
      } else if constexpr (std::is_same_v<Item, double>) {
        double item = 0;
        found(context_->call<&grapnel_params::list_f64>(detail::to_abi(name), i, &item), name,
              "a list of numbers");
        items.push_back(item);
      } else if constexpr (std::is_same_v<Item, bool>) {
        std::int32_t item = 0;
        found(context_->call<&grapnel_params::list_bool>(detail::to_abi(name), i, &item), name,
              "a list of booleans");
        items.push_back(item != 0);
      } else {
        static_assert(std::is_same_v<Item, std::string>, "no parameter has this type");
        grapnel_string item{};
        found(context_->call<&grapnel_params::list_string>(detail::to_abi(name), i, &item), name,
              "a list of strings");
        items.emplace_back(detail::from_abi(item));
      }
    }
    return items;
  }

  static bool found(std::int32_t status, std::string_view name, const char* type) {
    if (status == GRAPNEL_INVALID_ARGUMENT) {
      throw Error("plugin.json doesn't declare a parameter '" + std::string(name) + "' that is " +
                  type);
    }
    return detail::check_found(status, "reading a parameter");
  }

  detail::Context* context_;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
