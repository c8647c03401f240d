// The extension tables of the recording host about the model, optimizers, batches and outputs.
#include <algorithm>

#include "services.h"

namespace grapnel::testkit {
namespace {

// ---- module
std::vector<FakeParameter>* kind_of(const grapnel_host* host, std::int32_t kind) {
  if (kind == GRAPNEL_MODULE_PARAMETERS) return &RecordingHost::of(host).parameters;
  if (kind == GRAPNEL_MODULE_BUFFERS) return &RecordingHost::of(host).buffers;
  return nullptr;
}
std::int32_t generation(const grapnel_host* host, std::uint64_t* out) {
  *out = RecordingHost::of(host).generation;
  return GRAPNEL_OK;
}
std::int32_t count(const grapnel_host* host, std::int32_t kind, std::uint64_t* out) {
  const auto* entries = kind_of(host, kind);
  if (entries == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  *out = entries->size();
  return GRAPNEL_OK;
}
// Entries and their handles belong to the host: made on demand, dropped when it goes.
std::int32_t entry(const grapnel_host* host, std::int32_t kind, std::uint64_t index,
                   const grapnel_module_entry** out) {
  auto* all = kind_of(host, kind);
  if (all == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (index >= all->size()) return GRAPNEL_NOT_FOUND;
  FakeParameter& parameter = (*all)[index];
  const auto handle = [host](const FakeTensorPtr& tensor) {
    return tensor == nullptr ? nullptr : RecordingHost::of(host).lend_handle(tensor);
  };
  RecordingHost::of(host).entries.push_back(
      std::make_unique<grapnel_module_entry>(grapnel_module_entry{
          sizeof(grapnel_module_entry),
          parameter.trainable && kind == GRAPNEL_MODULE_PARAMETERS ? 1 : 0, to_abi(parameter.name),
          handle(parameter.tensor), handle(parameter.mask)}));
  *out = RecordingHost::of(host).entries.back().get();
  return GRAPNEL_OK;
}
std::int32_t grad(const grapnel_host* host, std::uint64_t index, grapnel_tensor** owned) {
  auto& parameters = RecordingHost::of(host).parameters;
  if (index >= parameters.size()) return GRAPNEL_INVALID_ARGUMENT;
  if (parameters[index].grad == nullptr) return GRAPNEL_NOT_FOUND;
  *owned = RecordingHost::of(host).new_handle(parameters[index].grad);
  return GRAPNEL_OK;
}
std::int32_t lease_weights(const grapnel_host* host, const std::uint64_t* parameters,
                           std::uint64_t parameter_count, const std::uint64_t* buffers,
                           std::uint64_t buffer_count, grapnel_tensor* const* tensors,
                           grapnel_string reason, grapnel_lease** lease) {
  RecordingHost& self = RecordingHost::of(host);
  std::vector<FakeTensorPtr> targets;
  for (std::uint64_t i = 0; i < parameter_count; ++i) {
    if (parameters[i] >= self.parameters.size()) return GRAPNEL_INVALID_ARGUMENT;
    targets.push_back(self.parameters[parameters[i]].tensor);
  }
  for (std::uint64_t i = 0; i < buffer_count; ++i) {
    if (buffers[i] >= self.buffers.size()) return GRAPNEL_INVALID_ARGUMENT;
    targets.push_back(self.buffers[buffers[i]].tensor);
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!self.knows(tensors[i])) return GRAPNEL_INVALID_ARGUMENT;
    const FakeTensor& leased = *RecordingHost::tensor(tensors[i]);
    if (leased.dtype != targets[i]->dtype || leased.sizes != targets[i]->sizes) {
      return GRAPNEL_INVALID_ARGUMENT;
    }
  }
  RecordingHost::WeightLease& taken = self.leases.emplace_back();
  taken.reason = text(reason);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    taken.swaps.emplace_back(targets[i], RecordingHost::tensor(tensors[i])->values);
  }
  self.begin_lease(taken);
  *lease = reinterpret_cast<grapnel_lease*>(&taken);
  return GRAPNEL_OK;
}
std::int32_t end_lease(const grapnel_host* host, grapnel_lease* lease) {
  RecordingHost& self = RecordingHost::of(host);
  for (RecordingHost::WeightLease& known : self.leases) {
    if (reinterpret_cast<grapnel_lease*>(&known) != lease) continue;
    if (!known.active) return GRAPNEL_NOT_FOUND;  // undone already
    self.end_lease(known);
    return GRAPNEL_OK;
  }
  return GRAPNEL_INVALID_ARGUMENT;
}
std::int32_t flops(const grapnel_host*, double*) {
  return GRAPNEL_NOT_FOUND;
}
std::int32_t freeze(const grapnel_host* host, const std::uint64_t* parameters,
                    std::uint64_t parameter_count, grapnel_string reason, grapnel_lease** lease) {
  RecordingHost& self = RecordingHost::of(host);
  RecordingHost::WeightLease taken;
  taken.reason = text(reason);
  for (std::uint64_t i = 0; i < parameter_count; ++i) {
    if (parameters[i] >= self.parameters.size()) return GRAPNEL_INVALID_ARGUMENT;
    if (self.parameters[parameters[i]].trainable) taken.frozen.push_back(parameters[i]);
  }
  for (const std::size_t index : taken.frozen) self.parameters[index].trainable = false;
  self.begin_lease(self.leases.emplace_back(std::move(taken)));
  *lease = reinterpret_cast<grapnel_lease*>(&self.leases.back());
  return GRAPNEL_OK;
}
std::int32_t forward(const grapnel_host* host, std::int32_t mode, grapnel_tensor* const* inputs,
                     std::uint64_t input_count, grapnel_tensor** outputs,
                     std::uint64_t output_count) {
  RecordingHost& self = RecordingHost::of(host);
  if (mode != GRAPNEL_FORWARD_AS_IS && mode != GRAPNEL_FORWARD_EVAL) return GRAPNEL_UNSUPPORTED;
  if (input_count != 1) return GRAPNEL_UNSUPPORTED;
  if (inputs == nullptr || !self.knows(inputs[0])) return GRAPNEL_INVALID_ARGUMENT;
  if (!self.forward) return GRAPNEL_NOT_NOW;
  if (output_count > 1) return GRAPNEL_INVALID_ARGUMENT;
  FakeTensorPtr result = self.forward(RecordingHost::tensor(inputs[0]));
  if (result == nullptr) return self.pending = true, GRAPNEL_PENDING;
  if (output_count == 1) outputs[0] = self.new_handle(std::move(result));
  return GRAPNEL_OK;
}
const grapnel_module module_table = {sizeof(grapnel_module),
                                     0,
                                     service<generation>("module.generation"),
                                     service<count>("module.count"),
                                     service<entry>("module.entry"),
                                     service<grad>("module.grad"),
                                     service<lease_weights>("module.lease_weights"),
                                     service<end_lease>("module.end_lease"),
                                     service<flops>("module.flops_per_batch"),
                                     service<freeze>("module.freeze"),
                                     service<forward>("module.forward")};

// ---- optimizers
std::int32_t optimizer_count(const grapnel_host* host, std::uint64_t* out) {
  *out = RecordingHost::of(host).optimizers.size();
  return GRAPNEL_OK;
}
std::int32_t optimizer_name(const grapnel_host* host, std::uint64_t optimizer,
                            grapnel_string* name) {
  if (optimizer >= RecordingHost::of(host).optimizers.size()) return GRAPNEL_NOT_FOUND;
  *name = to_abi(RecordingHost::of(host).optimizers[optimizer].name);
  return GRAPNEL_OK;
}
std::int32_t group_count(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t* out) {
  if (optimizer >= RecordingHost::of(host).optimizers.size()) return GRAPNEL_NOT_FOUND;
  *out = RecordingHost::of(host).optimizers[optimizer].groups.size();
  return GRAPNEL_OK;
}
std::map<std::string, double>* group_of(const grapnel_host* host, std::uint64_t optimizer,
                                        std::uint64_t group) {
  auto& optimizers = RecordingHost::of(host).optimizers;
  if (optimizer >= optimizers.size() || group >= optimizers[optimizer].groups.size())
    return nullptr;
  return &optimizers[optimizer].groups[group];
}
std::int32_t group(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t index,
                   const grapnel_optimizer_group** out) {
  const auto* options = group_of(host, optimizer, index);
  if (options == nullptr) return GRAPNEL_NOT_FOUND;
  RecordingHost::of(host).groups.push_back({sizeof(grapnel_optimizer_group),
                                            static_cast<std::uint32_t>(options->size()),
                                            {nullptr, 0},
                                            1,
                                            0});
  *out = &RecordingHost::of(host).groups.back();
  return GRAPNEL_OK;
}
std::int32_t option_name(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t index,
                         std::uint64_t option, grapnel_string* name) {
  const auto* options = group_of(host, optimizer, index);
  if (options == nullptr || option >= options->size()) return GRAPNEL_NOT_FOUND;
  *name = to_abi(std::next(options->begin(), static_cast<std::ptrdiff_t>(option))->first);
  return GRAPNEL_OK;
}
std::int32_t get_option(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t index,
                        grapnel_string name, double* value) {
  const auto* options = group_of(host, optimizer, index);
  if (options == nullptr) return GRAPNEL_NOT_FOUND;
  const auto found = options->find(text(name));
  if (found == options->end()) return GRAPNEL_NOT_FOUND;
  *value = found->second;
  return GRAPNEL_OK;
}
std::int32_t set_option(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t index,
                        grapnel_string name, double value) {
  auto* options = group_of(host, optimizer, index);
  if (options == nullptr) return GRAPNEL_NOT_FOUND;
  const auto found = options->find(text(name));
  if (found == options->end()) return GRAPNEL_NOT_FOUND;
  found->second = value;
  return GRAPNEL_OK;
}
std::int32_t unscaled(const grapnel_host* host, std::int32_t* flag) {
  *flag = RecordingHost::of(host).gradients_unscaled;
  return GRAPNEL_OK;
}
const grapnel_optimizers optimizers_table = {
    sizeof(grapnel_optimizers),
    0,
    service<optimizer_count>("optimizers.count"),
    service<optimizer_name>("optimizers.name"),
    service<group_count>("optimizers.group_count"),
    service<group>("optimizers.group"),
    service<option_name>("optimizers.option_name"),
    service<get_option>("optimizers.get_option"),
    service<set_option>("optimizers.set_option"),
    service<unscaled>("optimizers.gradients_are_unscaled")};

// ---- batch and outputs: a FakeBatch and a FakeOutputs behind the opaque handles
FakeBatch& batch_of(const grapnel_batch* batch) {
  return *reinterpret_cast<FakeBatch*>(const_cast<grapnel_batch*>(batch));
}
FakeOutputs& outputs_of(const grapnel_outputs* outputs) {
  return *reinterpret_cast<FakeOutputs*>(const_cast<grapnel_outputs*>(outputs));
}
std::int32_t batch_count(const grapnel_host*, const grapnel_batch* batch, std::uint64_t* out) {
  if (batch == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  *out = batch_of(batch).tensors.size();
  return GRAPNEL_OK;
}
std::int32_t batch_name(const grapnel_host*, const grapnel_batch* batch, std::uint64_t index,
                        grapnel_string* name) {
  if (batch == nullptr || index >= batch_of(batch).names.size()) return GRAPNEL_INVALID_ARGUMENT;
  *name = to_abi(batch_of(batch).names[index]);
  return GRAPNEL_OK;
}
std::int32_t batch_get(const grapnel_host* host, const grapnel_batch* batch, std::uint64_t index,
                       grapnel_tensor** owned) {
  if (batch == nullptr || index >= batch_of(batch).tensors.size()) return GRAPNEL_NOT_FOUND;
  *owned = RecordingHost::of(host).new_handle(batch_of(batch).tensors[index]);
  return GRAPNEL_OK;
}
// Without the elements.
std::int32_t batch_describe(const grapnel_host*, const grapnel_batch* batch, std::uint64_t index,
                            const grapnel_tensor_info** info) {
  if (batch == nullptr || index >= batch_of(batch).tensors.size()) return GRAPNEL_NOT_FOUND;
  const FakeTensor& tensor = *batch_of(batch).tensors[index];
  static grapnel_tensor_info described;
  described = {sizeof described,
               tensor.dtype,
               tensor.device_type,
               -1,
               tensor.sizes.size(),
               tensor.sizes.data(),
               nullptr,
               static_cast<std::int64_t>(tensor.values.size()),
               nullptr,
               GRAPNEL_TENSOR_STRIDED,
               0};
  *info = &described;
  return GRAPNEL_OK;
}
std::int32_t batch_replace(const grapnel_host*, grapnel_batch* batch, std::uint64_t index,
                           const grapnel_tensor* tensor) {
  if (batch == nullptr || tensor == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (index >= batch_of(batch).tensors.size()) return GRAPNEL_NOT_FOUND;
  batch_of(batch).tensors[index] = RecordingHost::tensor(const_cast<grapnel_tensor*>(tensor));
  return GRAPNEL_OK;
}
std::int32_t sample_indices(const grapnel_host*, const grapnel_batch* batch,
                            const std::int64_t** indices, std::uint64_t* out) {
  if (batch == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  *indices = batch_of(batch).sample_indices.data();
  *out = batch_of(batch).sample_indices.size();
  return GRAPNEL_OK;
}
const grapnel_batches batches_table = {sizeof(grapnel_batches),
                                       0,
                                       service<batch_count>("batch.count"),
                                       service<batch_name>("batch.name"),
                                       service<batch_get>("batch.get"),
                                       service<batch_replace>("batch.replace"),
                                       service<sample_indices>("batch.sample_indices"),
                                       service<batch_describe>("batch.describe")};

std::int32_t loss(const grapnel_host*, const grapnel_outputs* outputs, double* value) {
  if (outputs == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (!outputs_of(outputs).loss) return GRAPNEL_NOT_FOUND;
  *value = *outputs_of(outputs).loss;
  return GRAPNEL_OK;
}
std::int32_t loss_tensor(const grapnel_host* host, const grapnel_outputs* outputs,
                         grapnel_tensor** owned) {
  double value = 0;
  const std::int32_t status = loss(host, outputs, &value);
  if (status == GRAPNEL_OK) *owned = RecordingHost::of(host).new_handle(FakeTensor::scalar(value));
  return status;
}
std::int32_t outputs_count(const grapnel_host*, const grapnel_outputs* outputs,
                           std::uint64_t* out) {
  if (outputs == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  *out = outputs_of(outputs).tensors.size();
  return GRAPNEL_OK;
}
std::int32_t outputs_name(const grapnel_host*, const grapnel_outputs* outputs, std::uint64_t index,
                          grapnel_string* name) {
  if (outputs == nullptr || index >= outputs_of(outputs).names.size()) return GRAPNEL_NOT_FOUND;
  *name = to_abi(outputs_of(outputs).names[index]);
  return GRAPNEL_OK;
}
std::int32_t outputs_get(const grapnel_host* host, const grapnel_outputs* outputs,
                         std::uint64_t index, grapnel_tensor** owned) {
  if (outputs == nullptr || index >= outputs_of(outputs).tensors.size()) return GRAPNEL_NOT_FOUND;
  *owned = RecordingHost::of(host).new_handle(outputs_of(outputs).tensors[index]);
  return GRAPNEL_OK;
}
const grapnel_step_outputs outputs_table = {sizeof(grapnel_step_outputs),
                                            0,
                                            service<loss>("outputs.loss"),
                                            service<loss_tensor>("outputs.loss_tensor"),
                                            service<outputs_count>("outputs.count"),
                                            service<outputs_name>("outputs.name"),
                                            service<outputs_get>("outputs.get")};

}  // namespace

const void* model_table(std::string_view id) {
  if (id == GRAPNEL_EXT_MODULE) return &module_table;
  if (id == GRAPNEL_EXT_OPTIMIZERS) return &optimizers_table;
  if (id == GRAPNEL_EXT_BATCH) return &batches_table;
  if (id == GRAPNEL_EXT_OUTPUTS) return &outputs_table;
  return nullptr;
}

}  // namespace grapnel::testkit
