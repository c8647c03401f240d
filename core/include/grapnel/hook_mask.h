// The hooks of hooks.def as an enum, with their names, and the set of hooks that a class overrides.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "grapnel/override_mask.h"

namespace grapnel {

enum class Hook : uint32_t {
#define GRAPNEL_HOOK(id, name, Event, stage, module) name = id,
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
};

inline constexpr auto kHookNames = std::to_array<std::string_view>({
#define GRAPNEL_HOOK(id, name, Event, stage, module) #name,
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
});

inline constexpr size_t kHookCount = kHookNames.size();

// Whether the hook recurs with every training batch: its start and end, and the optimization steps.
// Requests that take effect "after this batch" are possible there.
constexpr bool is_within_training_batch(Hook hook) {
  constexpr std::array<bool, kHookCount> within_step = {
#define GRAPNEL_HOOK(id, name, Event, stage, module) std::string_view(#stage) == "step",
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  };
  return hook == Hook::on_train_batch_start || hook == Hook::on_train_batch_end ||
         within_step[static_cast<size_t>(hook)];
}

class HookMask : public BitMask<kHookCount> {
 public:
  using BitMask::set;
  using BitMask::test;
  constexpr void set(Hook hook, bool value = true) { set(static_cast<size_t>(hook), value); }
  constexpr bool test(Hook hook) const { return test(static_cast<size_t>(hook)); }
};

}  // namespace grapnel
