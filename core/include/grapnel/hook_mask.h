// Which hooks a class overrides, found at compile time.
//
// &T::hook has the type of a pointer to a member of the class that declares the function last, so
// it differs from the base's exactly when T, or a class between, overrides it. An override that
// isn't accessible (private) can't be named and counts as one. The answer holds for T, not for
// classes derived from it: whoever stores a mask checks typeid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "grapnel/abi.h"

namespace grapnel {

enum class Hook : uint32_t {
#define GRAPNEL_HOOK(id, name, Event, stage, module) name = id,
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
};

inline constexpr size_t kHookCount = GRAPNEL_HOOK_COUNT;

inline constexpr std::array<std::string_view, kHookCount> kHookNames = {
#define GRAPNEL_HOOK(id, name, Event, stage, module) #name,
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
};

// Hooks of the batches of training and of what becomes of them, the steps: where "after this batch" has a
// meaning, and what recurs with every batch.
constexpr bool is_within_training_batch(Hook hook) {
  constexpr std::array<bool, kHookCount> within_step = {
#define GRAPNEL_HOOK(id, name, Event, stage, module) std::string_view(#stage) == "step",
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  };
  return hook == Hook::on_train_batch_start || hook == Hook::on_train_batch_end ||
         within_step[static_cast<size_t>(hook)];
}

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

class HookMask : public BitMask<kHookCount> {
 public:
  using BitMask::set;
  using BitMask::test;
  constexpr void set(Hook hook, bool value = true) { set(static_cast<size_t>(hook), value); }
  constexpr bool test(Hook hook) const { return test(static_cast<size_t>(hook)); }
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
