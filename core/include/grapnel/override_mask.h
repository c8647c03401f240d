// Which functions of a base class another class overrides, found at compile time.
//
// &T::f has the type of a pointer to a member of the class that declares the function last, so it
// differs from the base's exactly when T, or a class between, overrides it. An override that isn't
// accessible (private) can't be named and counts as one. The answer holds for T, not for classes
// derived from it: code that stores a mask checks typeid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace grapnel {

// A set of small numbers, words long, so that the list behind it may grow.
template <size_t N>
class BitMask {
 public:
  constexpr void set(size_t i, bool value = true) {
    const uint64_t bit = uint64_t{1} << (i % 64);
    words_[i / 64] = value ? words_[i / 64] | bit : words_[i / 64] & ~bit;
  }
  constexpr bool test(size_t i) const { return (words_[i / 64] >> (i % 64)) & 1; }
  constexpr bool operator==(const BitMask&) const = default;

 private:
  std::array<uint64_t, (N + 63) / 64> words_{};
};

// Does T override Base's member? Member is spelled twice because a template can't take a name.
#define GRAPNEL_OVERRIDES(T, Base, member)                                     \
  ([]<class T_, class Base_>() constexpr {                                     \
    if constexpr (requires { &T_::member; }) {                                 \
      return !std::is_same_v<decltype(&T_::member), decltype(&Base_::member)>; \
    } else {                                                                   \
      return true;                                                             \
    }                                                                          \
  }.template operator()<T, Base>())

}  // namespace grapnel
