// One description of a struct or an enum, used for every conversion: JSON, text, a cache's bytes.
//
//   GRAPNEL_DESCRIBE_ENUM(Color, red, green)   // in the namespace of the type, all enumerators
//   GRAPNEL_DESCRIBE(Point, x, y)              // all public members, in the order of the JSON
//
//   enum_text(Color::red)            "red"
//   parse_enum<Color>("red")         Color::red; nullopt for any other text
//   to_json(Point{1, 2})             {"x": 1, "y": 2}
//   from_json<Point>(value)          the inverse; ConfigError with the position of what is wrong
//
// A description that lacks a member or an enumerator does not compile.
//
// For sources and private headers only: this header needs Boost.Describe and is not installed. A
// type that several sources convert is described in a private header that all of them include;
// otherwise the same template would mean different things in different sources.
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>
#include <boost/pfr/tuple_size.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/base/text.h>
#include <grapnel/base/utf8.h>

namespace grapnel {

template <class E>
concept DescribedEnum = std::is_enum_v<E> && boost::describe::has_describe_enumerators<E>::value;
template <class T>
concept Described = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

namespace detail {

template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
template <class E>
using Enumerators = boost::describe::describe_enumerators<E>;

// True when an enumerator of E has this value: compilers print others as "(Color)5".
template <auto value>
consteval bool is_enumerator() {
#if defined(__GNUC__)
  constexpr std::string_view signature = __PRETTY_FUNCTION__;
  return signature[signature.find("value = ") + 8] != '(';
#else
  return true;
#endif
}

// Enumerators with values from 0 to 63.
template <class E>
consteval std::size_t count_enumerators() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return (std::size_t{0} + ... + (is_enumerator<static_cast<E>(I)>() ? 1U : 0U));
  }
  (std::make_index_sequence<64>());
}

}  // namespace detail

#define GRAPNEL_DESCRIBE_ENUM(E, ...)                                             \
  BOOST_DESCRIBE_ENUM(E, __VA_ARGS__)                                             \
  static_assert(boost::mp11::mp_size<::grapnel::detail::Enumerators<E>>::value == \
                    ::grapnel::detail::count_enumerators<E>(),                    \
                "the description of " #E " lacks an enumerator")

#define GRAPNEL_DESCRIBE(T, ...) GRAPNEL_DESCRIBE_ALL_BUT(0, T, __VA_ARGS__)
// Leaves out so many members; say at the call which, and why.
#define GRAPNEL_DESCRIBE_ALL_BUT(left_out, T, ...)                                         \
  BOOST_DESCRIBE_STRUCT(T, (), (__VA_ARGS__))                                              \
  static_assert(boost::mp11::mp_size<::grapnel::detail::Members<T>>::value + (left_out) == \
                    boost::pfr::tuple_size_v<T>,                                           \
                "the description of " #T " does not match its members")

// Texts that are not the enumerator's name, for specializations:
//   template <> inline constexpr std::array enum_spellings<State> = {
//       EnumSpelling{State::not_ready, "not ready"}};
template <class E>
struct EnumSpelling {
  E value;
  std::string_view text;
};
template <class E>
inline constexpr std::array<EnumSpelling<E>, 0> enum_spellings{};

// Calls f(value, text) for each enumerator, in the order of the description.
template <DescribedEnum E, class F>
constexpr void for_each_enumerator(F f) {
  boost::mp11::mp_for_each<detail::Enumerators<E>>([&](auto enumerator) {
    std::string_view text = enumerator.name;
    for (const EnumSpelling<E>& spelling : enum_spellings<E>) {
      if (spelling.value == enumerator.value) text = spelling.text;
    }
    f(enumerator.value, text);
  });
}

// "" for a value that is not an enumerator's.
template <DescribedEnum E>
[[nodiscard]] constexpr std::string_view enum_text(E value) noexcept {
  std::string_view found;
  for_each_enumerator<E>([&](E one, std::string_view text) {
    if (one == value) found = text;
  });
  return found;
}

template <DescribedEnum E>
[[nodiscard]] constexpr std::optional<E> parse_enum(std::string_view text) noexcept {
  std::optional<E> found;
  for_each_enumerator<E>([&](E one, std::string_view name) {
    if (name == text) found = one;
  });
  return found;
}

template <DescribedEnum E>
[[nodiscard]] std::vector<std::string> enum_texts() {
  std::vector<std::string> texts;
  for_each_enumerator<E>([&](E, std::string_view text) { texts.emplace_back(text); });
  return texts;
}

// Calls f(name, member) for each described member, in the order of the description.
template <class T, class F>
requires Described<std::remove_const_t<T>>
constexpr void for_each_member(T& object, F f) {
  boost::mp11::mp_for_each<detail::Members<std::remove_const_t<T>>>(
      [&](auto member) { f(std::string_view(member.name), object.*member.pointer); });
}

namespace detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
ConfigValue json_of(const T& value) {
  if constexpr (Described<T>) {
    ConfigValue object = ConfigValue::object();
    for_each_member(value, [&](std::string_view name, const auto& member) {
      object.set(name, json_of(member));
    });
    return object;
  } else if constexpr (DescribedEnum<T>) {
    return enum_text(value);
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    return path_text(value);
  } else if constexpr (IsVector<T>::value) {
    ConfigValue array = ConfigValue::array();
    for (const auto& item : value) array.append(json_of(item));
    return array;
  } else if constexpr (IsOptional<T>::value) {
    return value ? json_of(*value) : ConfigValue();
  } else if constexpr (std::is_constructible_v<ConfigValue, const T&>) {
    return ConfigValue(value);
  } else {
    return to_json(value);  // of the type's own namespace
  }
}

template <class T>
T from_json(const ConfigValue& value, std::string_view name) {
  if constexpr (Described<T>) {
    T object{};
    for_each_member(object, [&](std::string_view key, auto& member) {
      using Member = std::remove_cvref_t<decltype(member)>;
      const ConfigValue* found = value.find(key);
      if (IsOptional<Member>::value && found == nullptr) return;
      member = from_json<Member>(value.at(key), key);
    });
    return object;
  } else if constexpr (DescribedEnum<T>) {
    const std::string& text = value.as_string(name);
    if (const std::optional<T> known = parse_enum<T>(text)) return *known;
    const std::vector<std::string> texts = enum_texts<T>();
    throw value.error(quote(name) + " must be " + join_quoted(texts) + ", found " + quote(text),
                      std::string(name), nearest(text, texts).value_or(""));
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::filesystem::path>) {
    return value.as_string(name);
  } else if constexpr (std::is_same_v<T, bool>) {
    return value.as_bool(name);
  } else if constexpr (std::is_integral_v<T>) {
    const std::int64_t number = value.as_int(name);
    if (std::in_range<T>(number)) return static_cast<T>(number);
    throw value.error(quote(name) + " is out of range: " + std::to_string(number),
                      std::string(name));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value.as_double(name));
  } else if constexpr (IsOptional<T>::value) {
    if (value.is_null()) return std::nullopt;
    return from_json<typename T::value_type>(value, name);
  } else {
    static_assert(IsVector<T>::value, "from_json() knows no such type");
    T items;
    for (const ConfigValue& item : value.as_array(name)) {
      items.push_back(from_json<typename T::value_type>(item, name));
    }
    return items;
  }
}

}  // namespace detail

// Of a described struct or enum, of what JSON knows, of paths, and of vectors and optionals of
// those (null for nothing). A type that is not described is written by its own to_json().
template <class T>
requires(Described<T> || DescribedEnum<T> || detail::IsVector<T>::value) [[nodiscard]] ConfigValue
    to_json(const T& value) {
  return detail::json_of(value);
}

// ConfigError at the value's position for another type, a missing key (optionals may be left out)
// or a number out of range. Keys without a member are ignored.
template <class T>
[[nodiscard]] T from_json(const ConfigValue& value) {
  return detail::from_json<T>(value, {});
}

}  // namespace grapnel
