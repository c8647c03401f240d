// Extension distributed, in a host of one process.
#include <grapnel/ext/distributed.h>

#include <fmt/format.h>

#include "../instance_host.h"
#include "extensions.h"
#include "module_entries.h"

namespace grapnel::bridge {
namespace {

constexpr grapnel_process_info kOnlyProcess = {sizeof(grapnel_process_info), 0, 0, 1, 0};

const at::Tensor& own_dense_tensor(const InstanceHost& self, const grapnel_tensor* handle) {
  const at::Tensor& tensor = checked_tensor(self, handle).tensor;
  const ModuleEntries* entries = self.module_entries.get();
  if (entries != nullptr && (entries->tensors.contains(tensor.unsafeGetTensorImpl()) ||
                             entries->masks.contains(tensor.unsafeGetTensorImpl()))) {
    throw ContractBreach{"the tensor is the model's; clone it"};
  }
  if (const std::string fault = storage_fault(tensor, /*dense=*/true); !fault.empty()) {
    throw ContractBreach{"the tensor " + fault};
  }
  return tensor;
}

std::int32_t GRAPNEL_CALL info(const grapnel_host* host,
                               const grapnel_process_info** result) noexcept {
  return service<NoTensors>(host, "distributed.info", [&](InstanceHost&) {
    check_output(result);
    *result = &kOnlyProcess;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL barrier(const grapnel_host* host) noexcept {
  return service<NoTensors>(host, "distributed.barrier", [](InstanceHost&) { return GRAPNEL_OK; });
}

std::int32_t GRAPNEL_CALL all_reduce(const grapnel_host* host, grapnel_tensor* handle,
                                     std::int32_t reduction) noexcept {
  return service(host, "distributed.all_reduce", [&](InstanceHost& self) {
    if (reduction < GRAPNEL_REDUCE_SUM || reduction > GRAPNEL_REDUCE_MAX) {
      throw NotSupported{fmt::format("there is no reduction {}", reduction)};
    }
    const at::Tensor& tensor = own_dense_tensor(self, handle);
    if (reduction == GRAPNEL_REDUCE_MEAN && !at::isFloatingType(tensor.scalar_type())) {
      throw ContractBreach{fmt::format("the mean of a tensor of the type {}; it must be of floats",
                                       c10::toString(tensor.scalar_type()))};
    }
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL broadcast(const grapnel_host* host, grapnel_tensor* handle,
                                    std::int64_t source) noexcept {
  return service(host, "distributed.broadcast", [&](InstanceHost& self) {
    if (source < 0 || source >= kOnlyProcess.world_size) {
      throw ContractBreach{
          fmt::format("there is no process {} of {}", source, kOnlyProcess.world_size)};
    }
    own_dense_tensor(self, handle);
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_distributed kDistributed = {
    sizeof(grapnel_distributed), 0, &info, &barrier, &all_reduce, &broadcast};

}  // namespace grapnel::bridge
