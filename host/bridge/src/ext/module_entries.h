// The module's parameters and buffers as a plugin sees them: numbered entries with borrowed handles that
// stay valid until the generation changes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
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
    std::string shown_name;  // the name as a plugin gets it: UTF-8, whatever its bytes are
    grapnel_tensor* handle = nullptr;
    grapnel_tensor* mask = nullptr;  // of a pruned parameter
    std::vector<std::int64_t> sizes;
    c10::ScalarType dtype = c10::ScalarType::Undefined;
    grapnel_module_entry abi{};
  };

  const Module* module = nullptr;  // whose entries these are
  std::uint64_t view_generation = 0;
  std::uint64_t generation = 0;
  std::uint64_t checked_at = 0;  // InstanceHost::calls() of the last comparison
  std::deque<Entry> parameters;  // addresses are given out
  std::deque<Entry> buffers;
};

// The entries of the running hook's module, brought up to date once per hook, or at once when `anew`.
// nullptr when the hook has no module.
ModuleEntries* current_entries(InstanceHost& self, bool anew = false);

}  // namespace grapnel::bridge
