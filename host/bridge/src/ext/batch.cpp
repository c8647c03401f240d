// Extension batch.
#include <grapnel/ext/batch.h>

#include <fmt/format.h>

#include <grapnel/copy_on_write.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

// The batch of the running hook; handles of earlier hooks are invalid.
Batch& checked_batch(const InstanceHost& self, const grapnel_batch* handle) {
  if (Batch* batch = self.batch.find(handle)) return *batch;
  throw ContractBreach{"the batch is not that of the running hook"};
}

std::int32_t GRAPNEL_CALL count(const grapnel_host* host, const grapnel_batch* batch,
                                std::uint64_t* result) noexcept {
  return service<NoTensors>(host, "batch.count", [&](InstanceHost& self) {
    check_output(result);
    *result = checked_batch(self, batch).size();
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL name(const grapnel_host* host, const grapnel_batch* batch,
                               std::uint64_t index, grapnel_string* result) noexcept {
  return service<NoTensors>(host, "batch.name", [&](InstanceHost& self) {
    check_output(result);
    const Batch& from = checked_batch(self, batch);
    if (index >= from.size()) return GRAPNEL_NOT_FOUND;
    *result = self.lend_text(from.name(index));
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL get(const grapnel_host* host, const grapnel_batch* batch,
                              std::uint64_t index, grapnel_tensor** owned) noexcept {
  return service(host, "batch.get", [&](InstanceHost& self) {
    check_output(owned);
    const Batch& from = checked_batch(self, batch);
    if (index >= from.size() || !from[index].defined()) return GRAPNEL_NOT_FOUND;
    *owned = self.tensors.own(detached_copy(from[index]).tensor);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL describe_tensor(const grapnel_host* host, const grapnel_batch* batch,
                                          std::uint64_t index,
                                          const grapnel_tensor_info** info) noexcept {
  return service<NoTensors>(host, "batch.describe", [&](InstanceHost& self) {
    check_output(info);
    const Batch& from = checked_batch(self, batch);
    if (index >= from.size() || !from[index].defined()) return GRAPNEL_NOT_FOUND;
    const at::Tensor& tensor = from[index];
    describe(tensor, self.batch_info);
    self.batch_info.data = nullptr;  // which may be the data set's
    // Copies: the tensor may be replaced while the plugin still reads them.
    self.batch_sizes = c10::DimVector(tensor.sizes());
    self.batch_info.sizes = self.batch_sizes.data();
    if (self.batch_info.strides != nullptr) {
      self.batch_strides = c10::DimVector(tensor.strides());
      self.batch_info.strides = self.batch_strides.data();
    }
    *info = &self.batch_info;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL replace(const grapnel_host* host, grapnel_batch* batch,
                                  std::uint64_t index, const grapnel_tensor* tensor) noexcept {
  return service(host, "batch.replace", [&](InstanceHost& self) {
    Batch& to = checked_batch(self, batch);
    if (!self.batch_is_replaceable) return GRAPNEL_NOT_NOW;
    if (index >= to.size()) return GRAPNEL_NOT_FOUND;
    const at::Tensor& given = checked_tensor(self, tensor).tensor;
    if (const std::string fault = storage_fault(given, /*dense=*/false);
        !fault.empty() &&
        (!to[index].defined() || storage_fault(to[index], /*dense=*/false).empty())) {
      throw ContractBreach{fmt::format("the tensor for {} of the batch {}", index, fault)};
    }
    note_replacement(self, to, index, given);
    to.replace(index, detached_copy(with_memory(given)).tensor);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL sample_indices(const grapnel_host* host, const grapnel_batch* batch,
                                         const std::int64_t** indices,
                                         std::uint64_t* result) noexcept {
  return service(host, "batch.sample_indices", [&](InstanceHost& self) {
    check_output(indices);
    check_output(result);
    const Batch& from = checked_batch(self, batch);
    *indices = from.sample_indices.data();
    *result = from.sample_indices.size();
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_batches kBatches = {
    sizeof(grapnel_batches), 0, &count, &name, &get, &replace, &sample_indices, &describe_tensor};

}  // namespace grapnel::bridge
