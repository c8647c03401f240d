// Checks of what a plugin's create() made, before the host uses it. The bridge and the probe share
// them, so that what `validate` accepts a run accepts too.
//
// Each returns the end of a sentence about the plugin ("its instance has 8 bytes, ..."), or an empty
// string for what may be used.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <grapnel/abi.h>

namespace grapnel::host {

// The instance's own fields, hooks excepted; they are read after init. nullptr: create() made none.
[[nodiscard]] std::string instance_fault(const grapnel_instance* instance);

// Its list of hooks as a whole, then each entry of it. A hook that this host doesn't know is
// accepted where the entry says that it is optional; see is_known_hook().
[[nodiscard]] std::string hook_list_fault(const grapnel_instance& instance);
[[nodiscard]] std::string hook_entry_fault(const grapnel_hook_entry* entry);
[[nodiscard]] inline bool is_known_hook(const grapnel_hook_entry& entry) noexcept {
  return entry.hook < GRAPNEL_HOOK_COUNT_KNOWN;
}
// "on_train_start", or "hook 9999" for one that this host doesn't know.
[[nodiscard]] std::string hook_label(std::uint32_t hook);

// A reserved field that isn't 0: "`whose` has 0xdead in its field 'reserved', which must be 0; ...".
[[nodiscard]] std::string reserved_fault(std::string_view whose, std::uint64_t reserved);
// Flags that must be understood and are not among `known`.
[[nodiscard]] std::string flags_fault(std::string_view whose, std::uint32_t flags,
                                      std::uint32_t known);

}  // namespace grapnel::host
