// The module's parameters and buffers for a plugin: numbered entries with borrowed handles, valid
// until the generation changes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <vector>

#include <grapnel/ext/module.h>

namespace grapnel {
class Module;
class StateView;
}  // namespace grapnel

namespace grapnel::bridge {

class InstanceHost;
class TensorHandles;

struct ModuleEntries {
  struct Entry {
    std::string name;
    std::string shown_name;  // the name for the plugin, as valid UTF-8
    grapnel_tensor* handle = nullptr;
    grapnel_tensor* mask = nullptr;  // of a pruned parameter; operators read a copy of it
    std::vector<std::int64_t> sizes;
    c10::ScalarType dtype = c10::ScalarType::Undefined;
    grapnel_module_entry abi{};
  };

  const Module* module = nullptr;  // whose entries these are
  std::uint64_t view_generation = 0;
  std::uint64_t generation = 0;
  std::uint64_t checked_at = 0;  // InstanceHost::calls() of the last comparison
  std::deque<Entry> parameters;  // the plugin holds addresses
  std::deque<Entry> buffers;
  // What was rebuilt during a call: its entries stay readable until the call returns.
  std::vector<std::deque<Entry>> retired;
  std::uint64_t retired_in = 0;
  // Of all of them: to tell the model's tensors from a plugin's own.
  std::unordered_set<const c10::TensorImpl*> tensors;
  std::unordered_set<const c10::TensorImpl*> masks;
};

// The entries of the running hook's module, updated once per hook, or now if `refresh`. nullptr:
// the hook has no module.
ModuleEntries* current_entries(InstanceHost& self, bool refresh = false);

}  // namespace grapnel::bridge
