// Extension module: parameters, buffers, gradients; leases through Trainer::lease_weights.
#include <grapnel/ext/module.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/base/text.h>
#include <grapnel/module.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"
#include "frozen_parameters.h"
#include "lease_list.h"
#include "model_forward.h"
#include "module_entries.h"

namespace grapnel::bridge {
namespace {

std::deque<ModuleEntries::Entry>& of_kind(ModuleEntries& entries, std::int32_t kind) {
  if (kind == GRAPNEL_MODULE_PARAMETERS) return entries.parameters;
  if (kind == GRAPNEL_MODULE_BUFFERS) return entries.buffers;
  throw NotSupported{fmt::format("there are no entries of kind {}", kind)};
}

std::int32_t GRAPNEL_CALL generation(const grapnel_host* host, std::uint64_t* result) noexcept {
  return service<NoTensors>(host, "module.generation", [&](InstanceHost& self) {
    check_output(result);
    const ModuleEntries* entries = current_entries(self, /*refresh=*/true);
    if (entries == nullptr) return GRAPNEL_NOT_NOW;
    *result = entries->generation;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL count(const grapnel_host* host, std::int32_t kind,
                                std::uint64_t* result) noexcept {
  return service<NoTensors>(host, "module.count", [&](InstanceHost& self) {
    check_output(result);
    ModuleEntries* entries = current_entries(self);
    if (entries == nullptr) return GRAPNEL_NOT_NOW;
    *result = of_kind(*entries, kind).size();
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL entry(const grapnel_host* host, std::int32_t kind, std::uint64_t index,
                                const grapnel_module_entry** result) noexcept {
  return service<NoTensors>(host, "module.entry", [&](InstanceHost& self) {
    check_output(result);
    ModuleEntries* entries = current_entries(self);
    if (entries == nullptr) return GRAPNEL_NOT_NOW;
    auto& list = of_kind(*entries, kind);
    if (index >= list.size()) return GRAPNEL_NOT_FOUND;
    *result = &list[index].abi;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL grad(const grapnel_host* host, std::uint64_t index,
                               grapnel_tensor** owned) noexcept {
  return service<NoTensors>(host, "module.grad", [&](InstanceHost& self) {
    check_output(owned);
    ModuleEntries* entries = current_entries(self);
    if (entries == nullptr) return GRAPNEL_NOT_NOW;
    if (index >= entries->parameters.size()) {
      throw ContractBreach{fmt::format("there is no parameter {}", index)};
    }
    const at::Tensor gradient = entries->parameters[index].handle->tensor.grad();
    if (!gradient.defined()) return GRAPNEL_NOT_FOUND;
    *owned = self.tensors.own(alias_of(gradient));
    return GRAPNEL_OK;
  });
}

using Swap = std::vector<std::pair<std::string, at::Tensor>>;

// memory: the model's.
void add_swaps(const InstanceHost& self, const std::deque<ModuleEntries::Entry>& entries,
               const std::vector<const void*>& memory, const std::uint64_t* indices,
               std::uint64_t index_count, grapnel_tensor* const* tensors, Swap& swaps) {
  if (index_count > entries.size()) {
    throw ContractBreach{
        fmt::format("{} entries to lease, but the module has {}", index_count, entries.size())};
  }
  for (std::uint64_t i = 0; i < index_count; ++i) {
    if (indices[i] >= entries.size()) {
      throw ContractBreach{fmt::format("there is no entry {} to lease", indices[i])};
    }
    const ModuleEntries::Entry& entry = entries[indices[i]];
    const at::Tensor& tensor = checked_tensor(self, tensors[i]).tensor;
    if (shares_memory(tensor, memory)) {
      throw ContractBreach{fmt::format(
          "the tensor for {} shares memory with the model, whose weights must stay; clone it",
          quote(entry.name))};
    }
    if (tensor.scalar_type() != entry.dtype || tensor.sizes() != c10::IntArrayRef(entry.sizes)) {
      throw ContractBreach{fmt::format(
          "the tensor for {} has the shape [{}] and the type {}, the entry [{}] and {}",
          quote(entry.name), fmt::join(tensor.sizes(), ", "), c10::toString(tensor.scalar_type()),
          fmt::join(entry.sizes, ", "), c10::toString(entry.dtype))};
    }
    // The optimizer and the loops write to it as to the model's own.
    if (const std::string fault = storage_fault(tensor, /*dense=*/true); !fault.empty()) {
      throw ContractBreach{fmt::format("the tensor for {} {}", quote(entry.name), fault)};
    }
    swaps.emplace_back(entry.name, tensor);
  }
}

void check_unique(const Swap& swaps) {
  std::set<std::string_view> names;
  for (const auto& [name, tensor] : swaps) {
    if (!names.insert(name).second) {
      throw ContractBreach{fmt::format("{} is named twice", quote(name))};
    }
  }
}

// What the model computes with, what it trains while a lease is in its place, and its masks.
std::vector<const void*> memory_of(const InstanceHost& self, const ModuleEntries& entries) {
  std::vector<const void*> memory;
  for (const auto* list : {&entries.parameters, &entries.buffers}) {
    for (const ModuleEntries::Entry& entry : *list) {
      add_memory(entry.handle->tensor, memory);
      const at::Tensor trained = self.trainer()->training_tensor(entry.name);
      if (trained.defined()) add_memory(trained, memory);
      if (entry.mask != nullptr) add_memory(entry.mask->tensor, memory);
    }
  }
  std::sort(memory.begin(), memory.end());
  return memory;
}

// Between a forward pass and its optimizer step other weights would give wrong gradients; in a
// checkpoint's hook or after the run they would be saved, or never undone.
bool may_lease(const Call& call) {
  if (!call.in_hook || call.custom) return true;
  switch (call.hook) {
    case Hook::on_before_zero_grad:
    case Hook::on_before_backward:
    case Hook::on_after_backward:
    case Hook::on_before_optimizer_step:
    case Hook::on_save_checkpoint:
    case Hook::on_exception:
    case Hook::on_signal:
    case Hook::on_run_end:
      return false;
    default:
      return true;
  }
}

std::int32_t lease_not_now(InstanceHost& self, const char* service) {
  return self.not_now(service, fmt::format("not possible in {}: lease before the step or after it, "
                                           "and outside of checkpoints",
                                           self.call()->name));
}

std::int32_t GRAPNEL_CALL freeze_parameters(const grapnel_host* host,
                                            const std::uint64_t* parameters,
                                            std::uint64_t parameter_count, grapnel_string reason,
                                            grapnel_lease** lease) noexcept {
  return service(host, "module.freeze", [&](InstanceHost& self) {
    check_output(lease);
    const std::string text = printable(checked_text(reason, "reason"));
    if (parameter_count > 0 && parameters == nullptr) throw ContractBreach{"a list is NULL"};
    const ModuleEntries* entries = current_entries(self, /*refresh=*/true);
    if (entries == nullptr) return GRAPNEL_NOT_NOW;
    if (!may_lease(*self.call())) return lease_not_now(self, "module.freeze");
    std::vector<at::Tensor> wanted;
    for (std::uint64_t i = 0; i < parameter_count; ++i) {
      if (parameters[i] >= entries->parameters.size()) {
        throw ContractBreach{fmt::format("there is no parameter {} to freeze", parameters[i])};
      }
      wanted.push_back(entries->parameters[parameters[i]].handle->tensor);
    }
    const auto frozen = std::make_shared<std::vector<at::Tensor>>();
    frozen->reserve(wanted.size());
    Lease taken = self.trainer()->lease(text, [frozen] {
      for (const at::Tensor& tensor : *frozen) unfreeze(tensor);
    });
    for (const at::Tensor& tensor : wanted) {
      if (freeze(tensor)) frozen->push_back(tensor);
    }
    if (self.leases == nullptr) self.leases = std::make_unique<LeaseList>();
    *lease = self.leases->add(std::move(taken), text);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL lease_weights(const grapnel_host* host, const std::uint64_t* parameters,
                                        std::uint64_t parameter_count, const std::uint64_t* buffers,
                                        std::uint64_t buffer_count, grapnel_tensor* const* tensors,
                                        grapnel_string reason, grapnel_lease** lease) noexcept {
  return service(host, "module.lease_weights", [&](InstanceHost& self) {
    check_output(lease);
    const std::string text = printable(checked_text(reason, "reason"));
    if ((parameter_count > 0 && parameters == nullptr) ||
        (buffer_count > 0 && buffers == nullptr) ||
        (parameter_count + buffer_count > 0 && tensors == nullptr)) {
      throw ContractBreach{"a list is NULL"};
    }
    const ModuleEntries* entries = current_entries(self, /*refresh=*/true);
    if (entries == nullptr) return GRAPNEL_NOT_NOW;
    if (!may_lease(*self.call())) return lease_not_now(self, "module.lease_weights");
    const std::vector<const void*> memory = memory_of(self, *entries);
    Swap swaps;
    add_swaps(self, entries->parameters, memory, parameters, parameter_count, tensors, swaps);
    add_swaps(self, entries->buffers, memory, buffers, buffer_count, tensors + parameter_count,
              swaps);
    check_unique(swaps);
    if (self.leases == nullptr) self.leases = std::make_unique<LeaseList>();
    *lease = self.leases->add(self.trainer()->lease_weights(std::move(swaps), text), text);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL end_lease(const grapnel_host* host, grapnel_lease* lease) noexcept {
  return service(host, "module.end_lease", [&](InstanceHost& self) {
    if (self.leases == nullptr || !self.leases->knows(lease)) {
      throw ContractBreach{"the handle is not one that lease_weights gave"};
    }
    return self.leases->end(lease) ? GRAPNEL_OK : GRAPNEL_NOT_FOUND;
  });
}

std::int32_t GRAPNEL_CALL flops_per_batch(const grapnel_host* host, double* flops) noexcept {
  return service(host, "module.flops_per_batch", [&](InstanceHost& self) {
    check_output(flops);
    if (self.module() == nullptr) return GRAPNEL_NOT_NOW;
    const std::optional<double> value = self.module()->flops_per_batch();
    if (!value) return GRAPNEL_NOT_FOUND;
    *flops = *value;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL run_forward(const grapnel_host* host, std::int32_t mode,
                                      grapnel_tensor* const* inputs, std::uint64_t input_count,
                                      grapnel_tensor** outputs,
                                      std::uint64_t output_count) noexcept {
  return service(host, "module.forward", [&](InstanceHost& self) {
    if (mode != GRAPNEL_FORWARD_AS_IS && mode != GRAPNEL_FORWARD_EVAL) {
      throw NotSupported{fmt::format("there is no mode {} of a forward pass", mode)};
    }
    if (input_count != 1) {
      throw NotSupported{fmt::format("{} inputs, but the model takes 1", input_count)};
    }
    if (output_count > 1) {
      throw ContractBreach{fmt::format("{} outputs, but the model returns 1", output_count)};
    }
    if (inputs == nullptr || (output_count > 0 && outputs == nullptr)) {
      throw ContractBreach{"a list is NULL"};
    }
    const at::Tensor& input = checked_tensor(self, inputs[0]).tensor;
    if (self.module() == nullptr || self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    at::Tensor output = forward_undisturbed(self, input, mode == GRAPNEL_FORWARD_EVAL);
    if (output_count == 1) outputs[0] = self.tensors.own(std::move(output));
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_module kModule = {sizeof(grapnel_module),
                                0,
                                &generation,
                                &count,
                                &entry,
                                &grad,
                                &lease_weights,
                                &end_lease,
                                &flops_per_batch,
                                &freeze_parameters,
                                &run_forward};

}  // namespace grapnel::bridge
