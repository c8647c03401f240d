// Calling any operator of the host's LibTorch by name.
//
//   Tensor y = call(context, "aten::clamp", "", x, 0.0, 1.0);
//   auto [values, indices] = call<std::tuple<Tensor, Tensor>>(context, "aten::topk", "", x, 5);
//
// Name and overload are those of LibTorch's schemas (native_functions.yaml); arguments are
// positional, trailing ones with defaults may be omitted. The host converts and checks them: for a
// wrong type the call fails with LibTorch's own message. Operators run without recording gradients.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {
namespace detail {

inline void release(Context& context, grapnel_tensor* handle) noexcept {
  // The table exists: the handle came from it.
  const auto* table = context.find<grapnel_tensors>();
  if (table != nullptr) table->release(context.host(), handle);
}

// ---- C++ values to the ABI's. The argument outlives the call, so views are enough.

inline grapnel_value to_value(const Tensor& tensor) {
  grapnel_value value{};
  value.tag = tensor.defined() ? GRAPNEL_VALUE_TENSOR : GRAPNEL_VALUE_NONE;
  value.u.tensor = tensor.handle();
  return value;
}
inline grapnel_value to_value(const TensorList& list) {
  grapnel_value value{};
  value.tag = GRAPNEL_VALUE_TENSOR_LIST;
  value.size = list.size();
  value.u.tensors = list.handles();
  return value;
}
inline grapnel_value to_value(std::string_view text) {
  grapnel_value value{};
  value.tag = GRAPNEL_VALUE_STRING;
  value.size = text.size();
  value.u.string = text.data();
  return value;
}
inline grapnel_value to_value(const char* text) {
  return to_value(std::string_view(text));
}
inline grapnel_value to_value(const std::string& text) {
  return to_value(std::string_view(text));
}
inline grapnel_value to_value(const std::vector<std::int64_t>& list) {
  grapnel_value value{};
  value.tag = GRAPNEL_VALUE_I64_LIST;
  value.size = list.size();
  value.u.i64s = list.data();
  return value;
}
inline grapnel_value to_value(const std::vector<double>& list) {
  grapnel_value value{};
  value.tag = GRAPNEL_VALUE_F64_LIST;
  value.size = list.size();
  value.u.f64s = list.data();
  return value;
}
inline grapnel_value to_value(std::nullopt_t) {
  return grapnel_value{};
}
inline grapnel_value to_enumerated(std::int32_t tag, std::int32_t number) {
  grapnel_value value{};
  value.tag = tag;
  value.u.i64 = number;
  return value;
}
inline grapnel_value to_value(Dtype dtype) {
  return to_enumerated(GRAPNEL_VALUE_DTYPE, static_cast<std::int32_t>(dtype));
}
inline grapnel_value to_value(Layout layout) {
  return to_enumerated(GRAPNEL_VALUE_LAYOUT, static_cast<std::int32_t>(layout));
}
inline grapnel_value to_value(MemoryFormat format) {
  return to_enumerated(GRAPNEL_VALUE_MEMORY_FORMAT, static_cast<std::int32_t>(format));
}
inline grapnel_value to_value(Device device) {
  grapnel_value value = to_value(device.name);
  value.tag = GRAPNEL_VALUE_DEVICE;
  return value;
}
template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
grapnel_value to_value(T number) {
  grapnel_value value{};
  if constexpr (std::is_same_v<T, bool>) {
    value.tag = GRAPNEL_VALUE_BOOL;
    value.u.i64 = number ? 1 : 0;
  } else if constexpr (std::is_floating_point_v<T>) {
    value.tag = GRAPNEL_VALUE_F64;
    value.u.f64 = static_cast<double>(number);
  } else {
    value.tag = GRAPNEL_VALUE_I64;
    value.u.i64 = static_cast<std::int64_t>(number);
  }
  return value;
}

// ---- The ABI's results to C++ values.

/// The number of results that a C++ type takes, and their conversion.
template <class T>
struct FromValue;

[[noreturn]] inline void fail_result(const char* wanted) {
  throw Error(std::string("the operator doesn't return ") + wanted);
}

template <>
struct FromValue<Tensor> {
  static Tensor get(Context& context, const grapnel_value& value) {
    if (value.tag == GRAPNEL_VALUE_NONE) return Tensor();
    if (value.tag != GRAPNEL_VALUE_TENSOR) fail_result("a tensor");
    return Tensor::adopt(context, value.u.tensor);
  }
};
template <>
struct FromValue<TensorList> {
  static TensorList get(Context& context, const grapnel_value& value) {
    if (value.tag != GRAPNEL_VALUE_TENSOR_LIST) fail_result("a list of tensors");
    return TensorList::adopt(context, {value.u.tensors, value.u.tensors + value.size}, true);
  }
};
template <>
struct FromValue<double> {
  static double get(Context&, const grapnel_value& value) {
    if (value.tag == GRAPNEL_VALUE_I64) return static_cast<double>(value.u.i64);
    if (value.tag != GRAPNEL_VALUE_F64) fail_result("a number");
    return value.u.f64;
  }
};
template <>
struct FromValue<std::int64_t> {
  static std::int64_t get(Context&, const grapnel_value& value) {
    if (value.tag != GRAPNEL_VALUE_I64) fail_result("an integer");
    return value.u.i64;
  }
};
template <>
struct FromValue<bool> {
  static bool get(Context&, const grapnel_value& value) {
    if (value.tag != GRAPNEL_VALUE_BOOL) fail_result("a boolean");
    return value.u.i64 != 0;
  }
};

/// Releases the tensors that were not converted because an earlier conversion threw.
inline void release_value(Context& context, const grapnel_value& value) noexcept {
  if (value.tag == GRAPNEL_VALUE_TENSOR) release(context, value.u.tensor);
  if (value.tag == GRAPNEL_VALUE_TENSOR_LIST) {
    for (std::uint64_t i = 0; i < value.size; ++i) release(context, value.u.tensors[i]);
  }
}

template <class Result>
struct Results {
  static constexpr std::size_t count = 1;
  static Result get(Context& context, const grapnel_value* values) {
    try {
      return FromValue<Result>::get(context, values[0]);
    } catch (const Error&) {
      release_value(context, values[0]);
      throw;
    }
  }
};
template <class... Each>
struct Results<std::tuple<Each...>> {
  static constexpr std::size_t count = sizeof...(Each);
  static std::tuple<Each...> get(Context& context, const grapnel_value* values) {
    std::size_t next = 0;
    try {
      // Braces evaluate from left to right.
      return std::tuple<Each...>{FromValue<Each>::get(context, values[next++])...};
    } catch (const Error&) {
      for (std::size_t i = next - 1; i < count; ++i) release_value(context, values[i]);
      throw;
    }
  }
};

/// An argument by its name in the operator's schema.
template <class T>
struct Named {
  std::string_view name;
  const T& value;
};

/// run: calls the operator for so many results.
template <class Result, class Run>
Result results_of(Context& context, const Run& run) {
  if constexpr (std::is_void_v<Result>) {
    run(nullptr, 0);
  } else {
    std::array<grapnel_value, Results<Result>::count> results{};
    run(results.data(), results.size());
    return Results<Result>::get(context, results.data());
  }
}

/// Result: void (results are dropped), Tensor, TensorList, double, std::int64_t, bool, or a
/// std::tuple of these for an operator with several.
template <class Result = Tensor, class... Args>
Result call(Context& context, std::string_view name, std::string_view overload,
            const Args&... args) {
  const grapnel_operator* op = context.find_operator(name, overload);
  const std::array<grapnel_value, sizeof...(Args)> arguments{to_value(args)...};
  const auto run = [&](grapnel_value* results, std::size_t count) {
    const std::int32_t status =
        context.call<&grapnel_aten::call>(op, arguments.data(), arguments.size(), results, count);
    if (status != GRAPNEL_OK) fail_call(status, name);
  };
  return results_of<Result>(context, run);
}

/// As call, with all arguments by name.
template <class Result = Tensor, class... T>
Result call_named(Context& context, std::string_view name, std::string_view overload,
                  const Named<T>&... args) {
  const grapnel_operator* op = context.find_operator(name, overload);
  const std::array<grapnel_value, sizeof...(T)> arguments{to_value(args.value)...};
  const std::array<grapnel_string, sizeof...(T)> names{to_abi(args.name)...};
  const auto run = [&](grapnel_value* results, std::size_t count) {
    const std::int32_t status = context.call<&grapnel_aten::call_named>(
        op, names.data(), arguments.data(), arguments.size(), results, count);
    if (status != GRAPNEL_OK) fail_call(status, name);
  };
  return results_of<Result>(context, run);
}

}  // namespace detail

/// For Services::call_named: arg("dim", 1).
template <class T>
detail::Named<T> arg(std::string_view name, const T& value) {
  return {name, value};
}
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin

#include <grapnel/plugin/tensor_methods.hpp>
