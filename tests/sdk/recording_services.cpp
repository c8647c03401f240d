// The extension tables of the recording host: each function checks what the contract says, and answers
// from the host's plain data.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "recording_host.h"
#include "recording_services.h"

namespace grapnel::test {
namespace {

std::size_t dtype_size(std::int32_t dtype) {
  switch (dtype) {
    case GRAPNEL_DTYPE_U8:
    case GRAPNEL_DTYPE_I8:
    case GRAPNEL_DTYPE_BOOL:
      return 1;
    case GRAPNEL_DTYPE_I32:
    case GRAPNEL_DTYPE_F32:
      return 4;
    case GRAPNEL_DTYPE_I64:
    case GRAPNEL_DTYPE_F64:
      return 8;
    default:
      return 0;
  }
}

// ---- params
template <class T>
std::int32_t param(const grapnel_host* host, grapnel_string name, T* value) {
  if (name.data == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const auto found = RecordingHost::of(host).params.find(text(name));
  if (found == RecordingHost::of(host).params.end()) return GRAPNEL_INVALID_ARGUMENT;
  const auto& held = found->second;
  if (std::holds_alternative<std::monostate>(held)) return GRAPNEL_NOT_FOUND;
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (const auto* i = std::get_if<std::int64_t>(&held)) return *value = *i, GRAPNEL_OK;
  } else if constexpr (std::is_same_v<T, double>) {
    if (const auto* d = std::get_if<double>(&held)) return *value = *d, GRAPNEL_OK;
    if (const auto* i = std::get_if<std::int64_t>(&held)) {
      return *value = static_cast<double>(*i), GRAPNEL_OK;
    }
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    if (const auto* b = std::get_if<bool>(&held)) return *value = *b, GRAPNEL_OK;
  } else {
    if (const auto* s = std::get_if<std::string>(&held)) return *value = to_abi(*s), GRAPNEL_OK;
  }
  return GRAPNEL_INVALID_ARGUMENT;
}

template <class Item, class T>
std::int32_t param_item(const grapnel_host* host, grapnel_string name, std::uint64_t index,
                        T* value) {
  const auto found = RecordingHost::of(host).params.find(text(name));
  if (found == RecordingHost::of(host).params.end()) return GRAPNEL_INVALID_ARGUMENT;
  const auto* list = std::get_if<std::vector<Item>>(&found->second);
  if (list == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (index >= list->size()) return GRAPNEL_NOT_FOUND;
  if constexpr (std::is_same_v<Item, std::string>) {
    *value = to_abi((*list)[index]);
  } else {
    *value = static_cast<T>((*list)[index]);
  }
  return GRAPNEL_OK;
}

std::int32_t param_list_size(const grapnel_host* host, grapnel_string name, std::uint64_t* size) {
  const auto found = RecordingHost::of(host).params.find(text(name));
  if (found == RecordingHost::of(host).params.end()) return GRAPNEL_INVALID_ARGUMENT;
  if (std::holds_alternative<std::monostate>(found->second)) return GRAPNEL_NOT_FOUND;
  return std::visit(
      [size](const auto& value) -> std::int32_t {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::vector<bool>> ||
                      std::is_same_v<T, std::vector<std::int64_t>> ||
                      std::is_same_v<T, std::vector<double>> ||
                      std::is_same_v<T, std::vector<std::string>>) {
          *size = value.size();
          return GRAPNEL_OK;
        } else {
          return GRAPNEL_INVALID_ARGUMENT;
        }
      },
      found->second);
}

const grapnel_params params_table = {
    sizeof(grapnel_params),
    0,
    param<std::int64_t>,
    param<double>,
    param<std::int32_t>,
    param<grapnel_string>,
    param_list_size,
    param_item<std::int64_t, std::int64_t>,
    param_item<double, double>,
    param_item<std::string, grapnel_string>,
    param_item<bool, std::int32_t>,
};

// ---- log, request, metrics, trainer
std::int32_t log_write(const grapnel_host* host, std::int32_t level, grapnel_string line) {
  static const char* const names[] = {"debug", "info", "warning", "error"};
  if (level < 0 || level > 3) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost::of(host).log.push_back(std::string(names[level]) + ": " + text(line));
  return GRAPNEL_OK;
}
std::int32_t log_once(const grapnel_host* host, std::int32_t level, grapnel_string key,
                      grapnel_string line) {
  return RecordingHost::of(host).once_keys.insert(text(key)).second ? log_write(host, level, line)
                                                                    : GRAPNEL_OK;
}
const grapnel_log log_table = {sizeof(grapnel_log), 0, log_write, log_once};

std::int32_t request(const grapnel_host* host, std::int32_t kind, grapnel_string reason) {
  RecordingHost& self = RecordingHost::of(host);
  if (self.failing.count("request") != 0) return self.pending = true, GRAPNEL_PENDING;
  if (kind < GRAPNEL_REQUEST_STOP || kind > GRAPNEL_REQUEST_SAVE) return GRAPNEL_INVALID_ARGUMENT;
  if (self.trainer.stage == GRAPNEL_STAGE_NONE) return GRAPNEL_NOT_NOW;
  self.requests.push_back({kind, text(reason)});
  return GRAPNEL_OK;
}
const grapnel_request request_table = {sizeof(grapnel_request), 0, request};

std::int32_t log_f64(const grapnel_host* host, grapnel_string name, double value,
                     const grapnel_metric_options* options) {
  if (name.size == 0) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost& self = RecordingHost::of(host);
  if (self.failing.count("log") != 0) return self.pending = true, GRAPNEL_PENDING;
  self.metrics.push_back({text(name), value, options != nullptr ? options->flags : 0,
                          options != nullptr ? options->batch_size : 0});
  return GRAPNEL_OK;
}
std::int32_t log_tensor(const grapnel_host* host, grapnel_string name, const grapnel_tensor* tensor,
                        const grapnel_metric_options* options) {
  if (tensor == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const auto& value = *RecordingHost::tensor(const_cast<grapnel_tensor*>(tensor));
  if (value.values.size() != 1) return GRAPNEL_INVALID_ARGUMENT;
  return log_f64(host, name, value.values[0], options);
}
std::int32_t get_metric(const grapnel_host* host, grapnel_string name, double* value,
                        std::int64_t* global_step) {
  const auto& metrics = RecordingHost::of(host).metrics;
  for (auto metric = metrics.rbegin(); metric != metrics.rend(); ++metric) {
    if (metric->name != text(name)) continue;
    *value = metric->value;
    *global_step = RecordingHost::of(host).trainer.global_step;
    return GRAPNEL_OK;
  }
  return GRAPNEL_NOT_FOUND;
}
std::int32_t count_metrics(const grapnel_host* host, std::uint64_t* count) {
  *count = RecordingHost::of(host).metrics.size();
  return GRAPNEL_OK;
}
std::int32_t metric_name(const grapnel_host* host, std::uint64_t index, grapnel_string* name) {
  if (index >= RecordingHost::of(host).metrics.size()) return GRAPNEL_NOT_FOUND;
  *name = to_abi(RecordingHost::of(host).metrics[index].name);
  return GRAPNEL_OK;
}
const grapnel_metrics metrics_table = {
    sizeof(grapnel_metrics), 0, log_f64, log_tensor, get_metric, count_metrics, metric_name};

std::int32_t trainer_state(const grapnel_host* host, const grapnel_trainer_state** state) {
  RecordingHost::of(host).trainer.struct_size = sizeof(grapnel_trainer_state);
  RecordingHost::of(host).trainer.run_directory = to_abi(RecordingHost::of(host).run_directory);
  *state = &RecordingHost::of(host).trainer;
  return GRAPNEL_OK;
}
const grapnel_trainer trainer_table = {sizeof(grapnel_trainer), 0, trainer_state};

// ---- tensors, aten
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
  if (bytes != tensor.values.size() * dtype_size(tensor.dtype)) return GRAPNEL_INVALID_ARGUMENT;
  for (std::size_t i = 0; i < tensor.values.size(); ++i) {
    if (tensor.dtype == GRAPNEL_DTYPE_F64) static_cast<double*>(data)[i] = tensor.values[i];
    if (tensor.dtype == GRAPNEL_DTYPE_F32) {
      static_cast<float*>(data)[i] = static_cast<float>(tensor.values[i]);
    }
    if (tensor.dtype == GRAPNEL_DTYPE_I64) {
      static_cast<std::int64_t*>(data)[i] = static_cast<std::int64_t>(tensor.values[i]);
    }
  }
  return GRAPNEL_OK;
}
std::int32_t no_write(const grapnel_host*, grapnel_tensor*, void**, std::uint64_t*) {
  return GRAPNEL_NOT_NOW;
}
std::int32_t no_write_end(const grapnel_host*, grapnel_tensor*) {
  return GRAPNEL_NOT_NOW;
}
std::int32_t from_data(const grapnel_host* host, std::int32_t dtype, const std::int64_t* sizes,
                       std::uint64_t ndim, const void* data, std::uint64_t bytes,
                       grapnel_tensor** owned) {
  auto tensor = fake_from_data(dtype, sizes, ndim, data, bytes);
  if (tensor == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  *owned = RecordingHost::of(host).new_handle(std::move(tensor));
  return GRAPNEL_OK;
}
const grapnel_tensors tensors_table = {sizeof(grapnel_tensors),
                                       0,
                                       describe,
                                       retain,
                                       release,
                                       to_f64,
                                       read,
                                       no_write,
                                       no_write_end,
                                       from_data};

std::int32_t find_operator(const grapnel_host* host, grapnel_string name, grapnel_string overload,
                           const grapnel_operator** op) {
  const std::string full = text(name) + (overload.size != 0 ? "." + text(overload) : "");
  if (RecordingHost::of(host).missing.count(full) != 0 || !fake_aten_knows(full))
    return GRAPNEL_NOT_FOUND;
  static std::set<std::string> names;  // the handle of an operator is its name
  *op = reinterpret_cast<const grapnel_operator*>(&*names.insert(full).first);
  return GRAPNEL_OK;
}
std::int32_t call_operator(const grapnel_host* host, const grapnel_operator* op,
                           const grapnel_value* arguments, std::uint64_t argument_count,
                           grapnel_value* results, std::uint64_t result_count) {
  if (op == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost& self = RecordingHost::of(host);
  const std::string& name = *reinterpret_cast<const std::string*>(op);
  self.calls.push_back(name);
  std::vector<grapnel_value> returned;
  const bool fails = self.failing.count(name) != 0;
  const std::int32_t status =
      fails ? GRAPNEL_PENDING : fake_aten_call(self, name, arguments, argument_count, returned);
  if (status == GRAPNEL_PENDING) self.pending = true;
  if (status != GRAPNEL_OK) return status;
  if (result_count > returned.size()) return GRAPNEL_INVALID_ARGUMENT;
  std::copy_n(returned.begin(), result_count, results);
  for (std::size_t i = result_count; i < returned.size(); ++i) {
    if (returned[i].tag == GRAPNEL_VALUE_TENSOR) release(host, returned[i].u.tensor);
    for (std::uint64_t k = 0; returned[i].tag == GRAPNEL_VALUE_TENSOR_LIST && k < returned[i].size;
         ++k) {
      release(host, returned[i].u.tensors[k]);
    }
  }
  return GRAPNEL_OK;
}
// Without describe() and call_named(), as in a host of before.
const grapnel_aten aten_table = {
    GRAPNEL_END_OF(grapnel_aten, call), 0, find_operator, call_operator, nullptr, nullptr};

}  // namespace

FakeTensorPtr fake_from_data(std::int32_t dtype, const std::int64_t* sizes, std::uint64_t ndim,
                             const void* data, std::uint64_t bytes) {
  auto tensor = std::make_shared<FakeTensor>();
  tensor->dtype = dtype;
  std::int64_t numel = 1;
  for (std::uint64_t i = 0; i < ndim; ++i) {
    if (sizes[i] < 0) return nullptr;
    tensor->sizes.push_back(sizes[i]);
    numel *= sizes[i];
  }
  if (bytes != static_cast<std::uint64_t>(numel) * dtype_size(dtype)) return nullptr;
  for (std::int64_t i = 0; i < numel; ++i) {
    if (dtype == GRAPNEL_DTYPE_F64) {
      tensor->values.push_back(static_cast<const double*>(data)[i]);
    } else if (dtype == GRAPNEL_DTYPE_I64) {
      tensor->values.push_back(static_cast<double>(static_cast<const std::int64_t*>(data)[i]));
    } else {
      return nullptr;
    }
  }
  return tensor;
}

// ---- plugin
std::int32_t plugin_info(const grapnel_host*, const grapnel_plugin_info** info) {
  static const grapnel_plugin_info recorded = {sizeof recorded,    0,
                                               to_abi("probe"),    to_abi("1.2.3"),
                                               to_abi("it"),       to_abi("slow"),
                                               to_abi("/plugins"), to_abi("2.15.0")};
  *info = &recorded;
  return GRAPNEL_OK;
}
std::int32_t data_directory(const grapnel_host*, grapnel_string* path) {
  *path = to_abi("/data/probe");
  return GRAPNEL_OK;
}
const grapnel_plugin_services plugin_table = {sizeof plugin_table, 0, plugin_info, data_directory};

const void* service_table(std::string_view id) {
  if (id == GRAPNEL_EXT_PLUGIN) return &plugin_table;
  if (id == GRAPNEL_EXT_PARAMS) return &params_table;
  if (id == GRAPNEL_EXT_LOG) return &log_table;
  if (id == GRAPNEL_EXT_REQUEST) return &request_table;
  if (id == GRAPNEL_EXT_METRICS) return &metrics_table;
  if (id == GRAPNEL_EXT_TRAINER) return &trainer_table;
  if (id == GRAPNEL_EXT_TENSORS) return &tensors_table;
  if (id == GRAPNEL_EXT_ATEN) return &aten_table;
  return model_table(id);
}

}  // namespace grapnel::test
