#include "early_writes.h"

#include <fmt/format.h>

#include <algorithm>

#include <grapnel/base/text.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "module_entries.h"

namespace grapnel::bridge {
namespace {

// In a loop of the user's own, gradients are also zeroed before the forward pass.
bool is_between_passes(const Call& call) {
  if (!call.in_hook || call.custom || call.trainer == nullptr) return false;
  if (call.hook == Hook::on_before_backward) return true;
  return call.hook == Hook::on_before_zero_grad && call.trainer->state().kind == RunKind::fit;
}

bool shares_storage(const at::Tensor& a, const at::Tensor& b) {
  return a.has_storage() && b.has_storage() &&
         a.storage().unsafeGetStorageImpl() == b.storage().unsafeGetStorageImpl();
}

const std::string* name_of(const ModuleEntries& entries, const at::Tensor& tensor) {
  for (const auto* list : {&entries.parameters, &entries.buffers}) {
    for (const ModuleEntries::Entry& entry : *list) {
      if (shares_storage(entry.handle->tensor, tensor)) return &entry.shown_name;
    }
  }
  return nullptr;
}

void add_once(std::vector<std::string>& to, std::string text) {
  if (std::ranges::find(to, text) == to.end()) to.push_back(std::move(text));
}

// Those of other batches; in a loop of the user's own, which counts none, those of other hooks.
void forget_older(InstanceHost& self) {
  const RunState& state = self.trainer()->state();
  EarlyWrites& writes = self.early_writes;
  const bool is_same = state.kind == RunKind::fit ? writes.batch == state.batch.total.ready
                                                  : writes.call == self.calls();
  if (is_same) return;
  writes = {.batch = state.batch.total.ready, .call = self.calls(), .hooks = {}, .tensors = {}};
}

}  // namespace

void note_write(InstanceHost& self, const at::Tensor& tensor, std::string_view how) {
  const Call& call = *self.call();
  if (!is_between_passes(call) || self.module_entries == nullptr) return;
  const std::string* name = name_of(*self.module_entries, tensor);
  if (name == nullptr) return;
  forget_older(self);
  add_once(self.early_writes.hooks, call.name);
  add_once(self.early_writes.tensors, fmt::format("{} ({})", quote(*name), how));
}

std::string describe_early_writes(const InstanceHost& self, const Trainer& trainer) {
  const EarlyWrites& writes = self.early_writes;
  if (writes.tensors.empty() || writes.batch != trainer.state().batch.total.ready) return {};
  return fmt::format("{} wrote to {}", join(writes.hooks, " and "), join(writes.tensors));
}

}  // namespace grapnel::bridge
