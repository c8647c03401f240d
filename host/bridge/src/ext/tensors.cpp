// Extension tensors: describing, reading, writing and creating tensors by handle.
#include <grapnel/ext/tensors.h>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "../instance_host.h"
#include "../new_tensor.h"
#include "early_writes.h"
#include "extensions.h"
#include "module_entries.h"

namespace grapnel::bridge {
namespace {

std::int32_t GRAPNEL_CALL describe_handle(const grapnel_host* host, const grapnel_tensor* tensor,
                                          const grapnel_tensor_info** info) noexcept {
  return service<NoTensors>(host, "tensors.describe", [&](InstanceHost& self) {
    check_output(info);
    grapnel_tensor& handle = checked_tensor(self, tensor);
    describe(handle.tensor, handle.info);
    *info = &handle.info;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL retain(const grapnel_host* host, grapnel_tensor* tensor,
                                 grapnel_tensor** owned) noexcept {
  return service<NoTensors>(host, "tensors.retain", [&](InstanceHost& self) {
    check_output(owned);
    const grapnel_tensor& from = checked_tensor(self, tensor);
    *owned = self.tensors.own(from.tensor);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL release(const grapnel_host* host, grapnel_tensor* tensor) noexcept {
  return service<NoTensors>(host, "tensors.release", [&](InstanceHost& self) {
    grapnel_tensor& handle = checked_tensor(self, tensor);
    if (!self.tensors.release(&handle)) throw ContractBreach{"a borrowed tensor is released"};
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL to_f64(const grapnel_host* host, const grapnel_tensor* tensor,
                                 double* value) noexcept {
  return service(host, "tensors.to_f64", [&](InstanceHost& self) {
    check_output(value);
    const at::Tensor& from = checked_tensor(self, tensor).tensor;
    if (from.numel() != 1) {
      throw ContractBreach{fmt::format("a tensor of {} elements is not a scalar", from.numel())};
    }
    *value = from.item().toDouble();
    return GRAPNEL_OK;
  });
}

bool is_row_major(const at::Tensor& tensor) {
  return tensor.layout() == c10::kStrided && tensor.device().is_cpu() && tensor.is_contiguous() &&
         !tensor.is_conj() && !tensor.is_neg() && !tensor._is_zerotensor();
}

// Row-major on the CPU; the tensor's own memory if it already is.
at::Tensor row_major(const at::Tensor& tensor) {
  if (is_row_major(tensor)) return tensor;
  return with_memory(tensor.detach()).cpu().to_dense().resolve_conj().resolve_neg().contiguous();
}

void check_bytes(const at::Tensor& tensor, std::uint64_t bytes) {
  if (bytes != tensor.nbytes()) {
    throw ContractBreach{fmt::format("{} bytes given for {} elements of {} bytes each", bytes,
                                     tensor.numel(), tensor.itemsize())};
  }
}

std::int32_t GRAPNEL_CALL read(const grapnel_host* host, const grapnel_tensor* tensor, void* data,
                               std::uint64_t bytes) noexcept {
  return service(host, "tensors.read", [&](InstanceHost& self) {
    const at::Tensor from = row_major(checked_tensor(self, tensor).tensor);
    check_bytes(from, bytes);
    if (bytes == 0) return GRAPNEL_OK;
    check_output(data);
    std::memcpy(data, from.const_data_ptr(), bytes);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL begin_write(const grapnel_host* host, grapnel_tensor* tensor, void** data,
                                      std::uint64_t* bytes) noexcept {
  return service(host, "tensors.begin_write", [&](InstanceHost& self) {
    check_output(data);
    check_output(bytes);
    grapnel_tensor& handle = checked_tensor(self, tensor);
    if (const ModuleEntries* entries = self.module_entries.get();
        entries != nullptr && entries->masks.contains(handle.tensor.unsafeGetTensorImpl())) {
      throw ContractBreach{"a mask of the model is read only; clone it"};
    }
    if (handle.writing) throw ContractBreach{"begin_write while another begin_write is open"};
    const at::Tensor& target = handle.tensor;
    const bool direct = is_row_major(target);
    if (!direct) {
      handle.staging = at::empty(target.sizes(), target.options().device(c10::kCPU));
      handle.staging.copy_(target);
    }
    note_write(self, target, "tensors.begin_write");
    const at::Tensor& memory = direct ? target : handle.staging;
    handle.writing = true;
    *data = memory.mutable_data_ptr();
    *bytes = memory.nbytes();
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL end_write(const grapnel_host* host, grapnel_tensor* tensor) noexcept {
  return service(host, "tensors.end_write", [&](InstanceHost& self) {
    grapnel_tensor& handle = checked_tensor(self, tensor);
    if (!handle.writing) throw ContractBreach{"end_write without begin_write"};
    handle.writing = false;
    if (handle.staging.defined()) {
      handle.tensor.copy_(std::exchange(handle.staging, {}));
    } else if (!handle.tensor.is_inference()) {
      handle.tensor.unsafeGetTensorImpl()->bump_version();  // so that autograd notices the write
    }
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL from_data(const grapnel_host* host, std::int32_t dtype,
                                    const std::int64_t* sizes, std::uint64_t ndim, const void* data,
                                    std::uint64_t bytes, grapnel_tensor** owned) noexcept {
  return service(host, "tensors.from_data", [&](InstanceHost& self) {
    check_output(owned);
    *owned = self.tensors.own(new_tensor(dtype, sizes, ndim, data, bytes));
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_tensors kTensors = {sizeof(grapnel_tensors),
                                  0,
                                  &describe_handle,
                                  &retain,
                                  &release,
                                  &to_f64,
                                  &read,
                                  &begin_write,
                                  &end_write,
                                  &from_data};

}  // namespace grapnel::bridge
