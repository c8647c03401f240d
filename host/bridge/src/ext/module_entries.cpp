#include "module_entries.h"

#include <utility>

#include <grapnel/base/utf8.h>
#include <grapnel/module.h>
#include <grapnel/state_view.h>

#include "../instance_host.h"

namespace grapnel::bridge {
namespace {

using Entry = ModuleEntries::Entry;

// Whether the entry still has the name, shape, type and mask that the plugin knows.
bool matches(const Entry& mine, const StateEntry& live) {
  const at::Tensor& tensor = live.tensor;
  const bool same_mask =
      mine.mask == nullptr ? !live.mask.defined() : mine.mask->tensor.is_same(live.mask);
  return same_mask && mine.handle->tensor.is_same(tensor) && mine.name == live.name &&
         mine.dtype == tensor.scalar_type() && tensor.sizes() == c10::IntArrayRef(mine.sizes);
}

bool up_to_date(ModuleEntries& entries, const StateView& view) {
  std::size_t parameter = 0;
  std::size_t buffer = 0;
  for (const StateEntry& live : view.entries()) {
    std::deque<Entry>& mine = live.is_parameter ? entries.parameters : entries.buffers;
    std::size_t& index = live.is_parameter ? parameter : buffer;
    if (index >= mine.size() || !matches(mine[index], live)) return false;
    ++index;
  }
  return parameter == entries.parameters.size() && buffer == entries.buffers.size();
}

// The tensors are refused from now on; the entries stay readable during the call.
void retire(ModuleEntries& entries, TensorHandles& handles, std::deque<Entry>& old) {
  for (const Entry& entry : old) {
    handles.end_borrow(entry.handle);
    if (entry.mask != nullptr) handles.end_borrow(entry.mask);
  }
  entries.retired.push_back(std::exchange(old, {}));
}

void rebuild(ModuleEntries& entries, InstanceHost& self, const StateView& view) {
  TensorHandles& handles = self.tensors;
  if (entries.retired_in != self.calls()) entries.retired.clear();
  entries.retired_in = self.calls();
  retire(entries, handles, entries.parameters);
  retire(entries, handles, entries.buffers);
  entries.tensors.clear();
  entries.masks.clear();
  for (const StateEntry& live : view.entries()) {
    std::deque<Entry>& mine = live.is_parameter ? entries.parameters : entries.buffers;
    mine.push_back({live.name,
                    to_utf8(live.name),
                    handles.borrow(live.tensor),
                    live.mask.defined() ? handles.borrow(live.mask) : nullptr,
                    live.tensor.sizes().vec(),
                    live.tensor.scalar_type(),
                    {}});
    Entry& entry = mine.back();
    entries.tensors.insert(live.tensor.unsafeGetTensorImpl());
    if (live.mask.defined()) entries.masks.insert(live.mask.unsafeGetTensorImpl());
    entry.abi.struct_size = sizeof entry.abi;
    entry.abi.name = to_abi(entry.shown_name);
    entry.abi.tensor = entry.handle;
    entry.abi.mask = entry.mask;
  }
  ++entries.generation;
}

// Freezing does not start a new generation: the flag is copied each time.
void update_trainable(ModuleEntries& entries) {
  for (Entry& entry : entries.parameters) {
    entry.abi.trainable = entry.handle->tensor.requires_grad() ? 1 : 0;
  }
}

}  // namespace

ModuleEntries* current_entries(InstanceHost& self, bool refresh) {
  Module* module = self.module();
  if (module == nullptr) return nullptr;
  if (self.module_entries == nullptr) self.module_entries = std::make_unique<ModuleEntries>();
  ModuleEntries& entries = *self.module_entries;
  if (!refresh && entries.checked_at == self.calls() && entries.module == module) return &entries;

  const StateView& view = module->state_view();
  if (entries.generation == 0 || entries.module != module ||
      entries.view_generation != view.generation() || !up_to_date(entries, view)) {
    rebuild(entries, self, view);
  }
  update_trainable(entries);
  entries.module = module;
  entries.view_generation = view.generation();
  entries.checked_at = self.calls();
  return &entries;
}

}  // namespace grapnel::bridge
