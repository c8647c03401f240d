#include <grapnel/host/instance_check.h>

#include <fmt/format.h>

namespace grapnel::host {
namespace {

constexpr std::uint32_t max_hooks = 4096;  // far more than exist

}  // namespace

std::string instance_fault(const grapnel_instance* instance) {
  constexpr std::size_t needed = GRAPNEL_END_OF(grapnel_instance, destroy);
  if (instance == nullptr) return "create() returned OK but no instance";
  if (instance->struct_size < needed) {
    return fmt::format("its instance has {} bytes, at least {} are needed", instance->struct_size,
                       needed);
  }
  if (instance->init == nullptr) return "its instance has no function 'init'";
  if (instance->destroy == nullptr) return "its instance has no function 'destroy'";
  return {};
}

std::string hook_list_fault(const grapnel_instance& instance) {
  if (instance.hook_count > max_hooks) {
    return fmt::format("its hook_count is {}, but at most {} are accepted", instance.hook_count,
                       max_hooks);
  }
  if (instance.hook_count > 0 && instance.hooks == nullptr) {
    return fmt::format("its hook_count is {}, but hooks is NULL", instance.hook_count);
  }
  return {};
}

std::string hook_label(std::uint32_t hook) {
  switch (hook) {
#define GRAPNEL_HOOK(id, name, event, stage, module) \
  case id:                                           \
    return #name;
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK
    default:
      return fmt::format("hook {}", hook);
  }
}

std::string hook_entry_fault(const grapnel_hook_entry* entry) {
  if (entry == nullptr) return "an entry of its list of hooks is NULL";
  if (!GRAPNEL_HAS(entry, call)) {
    return fmt::format("an entry of its list of hooks has {} bytes, at least {} are needed",
                       entry->struct_size, GRAPNEL_END_OF(grapnel_hook_entry, call));
  }
  const std::string label = hook_label(entry->hook);
  const std::string whose = fmt::format("its entry for {}", label);
  if (std::string fault = flags_fault(whose, entry->flags, GRAPNEL_HOOK_OPTIONAL); !fault.empty()) {
    return fault;
  }
  if (std::string fault = reserved_fault(whose, entry->reserved); !fault.empty()) return fault;
  if (!is_known_hook(*entry) && (entry->flags & GRAPNEL_HOOK_OPTIONAL) == 0) {
    return fmt::format("it uses {}, but this host knows only 0 to {}; update grapnel", label,
                       GRAPNEL_HOOK_COUNT_KNOWN - 1);
  }
  if (entry->call == nullptr) return fmt::format("its hook {} has no function", label);
  return {};
}

std::string reserved_fault(std::string_view whose, std::uint64_t reserved) {
  if (reserved == 0) return {};
  return fmt::format(
      "{} has {:#x} in its field 'reserved', which must be 0; initialize the whole struct", whose,
      reserved);
}

std::string flags_fault(std::string_view whose, std::uint32_t flags, std::uint32_t known) {
  const std::uint32_t unknown = flags & ~known & GRAPNEL_FLAGS_TO_UNDERSTAND;
  if (unknown == 0) return {};
  return fmt::format("{} has the flags {:#x}, which this host doesn't know; update grapnel", whose,
                     unknown);
}

}  // namespace grapnel::host
