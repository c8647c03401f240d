#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t describe(const grapnel_host*, const grapnel_tensor* handle,
                      const grapnel_tensor_info** info) {
  if (handle == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  FakeTensor& tensor = *RecordingHost::tensor(const_cast<grapnel_tensor*>(handle));
  tensor.strides.assign(tensor.sizes.size(), 1);
  for (std::size_t i = tensor.sizes.size(); i-- > 1;) {
    tensor.strides[i - 1] = tensor.strides[i] * tensor.sizes[i];
  }
  const bool is_cpu = tensor.device_type == GRAPNEL_DEVICE_CPU;
  const bool is_readable = is_cpu && tensor.dtype == GRAPNEL_DTYPE_F32;
  tensor.elements.clear();
  for (const double value : tensor.values) tensor.elements.push_back(static_cast<float>(value));
  tensor.info = {sizeof(grapnel_tensor_info),
                 tensor.dtype,
                 tensor.device_type,
                 is_cpu ? -1 : 0,
                 tensor.sizes.size(),
                 tensor.sizes.data(),
                 tensor.strides.data(),
                 static_cast<std::int64_t>(tensor.values.size()),
                 is_readable ? tensor.elements.data() : nullptr,
                 GRAPNEL_TENSOR_STRIDED,
                 0};
  *info = &tensor.info;
  return GRAPNEL_OK;
}
std::int32_t retain(const grapnel_host* host, grapnel_tensor* handle, grapnel_tensor** owned) {
  if (handle == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  *owned = RecordingHost::of(host).new_handle(RecordingHost::tensor(handle));
  return GRAPNEL_OK;
}
std::int32_t release(const grapnel_host* host, grapnel_tensor* handle) {
  if (handle == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (!RecordingHost::of(host).owns(handle)) return GRAPNEL_INVALID_ARGUMENT;  // borrowed
  RecordingHost::of(host).drop(handle);
  return GRAPNEL_OK;
}
std::int32_t to_f64(const grapnel_host*, const grapnel_tensor* handle, double* value) {
  if (handle == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const auto& values = RecordingHost::tensor(const_cast<grapnel_tensor*>(handle))->values;
  if (values.size() != 1) return GRAPNEL_INVALID_ARGUMENT;
  *value = values[0];
  return GRAPNEL_OK;
}
std::int32_t read(const grapnel_host*, const grapnel_tensor* handle, void* data,
                  std::uint64_t bytes) {
  if (handle == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const FakeTensor& tensor = *RecordingHost::tensor(const_cast<grapnel_tensor*>(handle));
  return fake_to_data(tensor, data, bytes) ? GRAPNEL_OK : GRAPNEL_INVALID_ARGUMENT;
}
std::int32_t begin_write(const grapnel_host* host, grapnel_tensor* handle, void** data,
                         std::uint64_t* bytes) {
  RecordingHost& self = RecordingHost::of(host);
  if (handle == nullptr || self.writes.count(handle) != 0) return GRAPNEL_INVALID_ARGUMENT;
  const FakeTensor& tensor = *RecordingHost::tensor(handle);
  std::vector<unsigned char> elements(tensor.values.size() * dtype_size(tensor.dtype));
  if (!fake_to_data(tensor, elements.data(), elements.size())) return GRAPNEL_UNSUPPORTED;
  auto& kept = self.writes[handle] = std::move(elements);
  *data = kept.data();
  *bytes = kept.size();
  return GRAPNEL_OK;
}
std::int32_t end_write(const grapnel_host* host, grapnel_tensor* handle) {
  RecordingHost& self = RecordingHost::of(host);
  const auto begun = self.writes.find(handle);
  if (begun == self.writes.end()) return GRAPNEL_INVALID_ARGUMENT;
  FakeTensor& tensor = *RecordingHost::tensor(handle);
  tensor.values = fake_from_data(tensor.dtype, tensor.sizes.data(), tensor.sizes.size(),
                                 begun->second.data(), begun->second.size())
                      ->values;
  self.writes.erase(begun);
  return GRAPNEL_OK;
}
std::int32_t from_data(const grapnel_host* host, std::int32_t dtype, const std::int64_t* sizes,
                       std::uint64_t ndim, const void* data, std::uint64_t bytes,
                       grapnel_tensor** owned) {
  auto tensor = fake_from_data(dtype, sizes, ndim, data, bytes);
  if (tensor == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  *owned = RecordingHost::of(host).new_handle(std::move(tensor));
  return GRAPNEL_OK;
}
const grapnel_tensors tensors_functions = {sizeof(grapnel_tensors),
                                           0,
                                           service<describe>("tensors.describe"),
                                           service<retain>("tensors.retain"),
                                           service<release>("tensors.release"),
                                           service<to_f64>("tensors.to_f64"),
                                           service<read>("tensors.read"),
                                           service<begin_write>("tensors.begin_write"),
                                           service<end_write>("tensors.end_write"),
                                           service<from_data>("tensors.from_data")};

}  // namespace

const void* tensors_table() {
  return &tensors_functions;
}

}  // namespace grapnel::testkit
