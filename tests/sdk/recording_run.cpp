// The extension tables of the recording host about the course of a training: learning rates, terms of
// the loss, the training thread, the device, times, processes.
#include <cmath>

#include "recording_services.h"

namespace grapnel::test {
namespace {

// ---- schedule
double base_rate(const RecordingHost& self, std::uint64_t optimizer, std::uint64_t group) {
  const auto& options = self.optimizers[optimizer].groups[group];
  const auto found = options.find("lr");
  return found == options.end() ? 0 : found->second;
}
bool has_group(const RecordingHost& self, std::uint64_t optimizer, std::uint64_t group) {
  return optimizer < self.optimizers.size() && group < self.optimizers[optimizer].groups.size();
}
double factor_of(const RecordingHost& self, std::uint64_t optimizer, std::uint64_t group) {
  const auto o = static_cast<std::int64_t>(optimizer);
  const auto g = static_cast<std::int64_t>(group);
  for (const auto& key : {std::pair(o, g), std::pair(o, std::int64_t{-1}),
                          std::pair(std::int64_t{-1}, std::int64_t{-1})}) {
    if (const auto found = self.rate_factors.find(key); found != self.rate_factors.end()) {
      return found->second;
    }
  }
  return 1;
}
std::int32_t set_factor(const grapnel_host* host, std::int64_t optimizer, std::int64_t group,
                        double factor) {
  RecordingHost& self = RecordingHost::of(host);
  if (!std::isfinite(factor) || factor < 0) return GRAPNEL_INVALID_ARGUMENT;
  if (optimizer == GRAPNEL_SCHEDULE_ALL && group != GRAPNEL_SCHEDULE_ALL) {
    return GRAPNEL_INVALID_ARGUMENT;
  }
  if (optimizer != GRAPNEL_SCHEDULE_ALL &&
      !has_group(self, static_cast<std::uint64_t>(optimizer),
                 group == GRAPNEL_SCHEDULE_ALL ? 0 : static_cast<std::uint64_t>(group))) {
    return GRAPNEL_NOT_FOUND;
  }
  for (auto each = self.rate_factors.begin(); each != self.rate_factors.end();) {
    const bool replaced = (optimizer == GRAPNEL_SCHEDULE_ALL || each->first.first == optimizer) &&
                          (group == GRAPNEL_SCHEDULE_ALL || each->first.second == group);
    each = replaced ? self.rate_factors.erase(each) : std::next(each);
  }
  self.rate_factors[{optimizer, group}] = factor;
  return GRAPNEL_OK;
}
std::int32_t get_factor(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t group,
                        double* factor) {
  const RecordingHost& self = RecordingHost::of(host);
  if (!has_group(self, optimizer, group)) return GRAPNEL_NOT_FOUND;
  *factor = factor_of(self, optimizer, group);
  return GRAPNEL_OK;
}
std::int32_t rate(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t group,
                  double* value) {
  const RecordingHost& self = RecordingHost::of(host);
  if (!has_group(self, optimizer, group)) return GRAPNEL_NOT_FOUND;
  *value = base_rate(self, optimizer, group) * factor_of(self, optimizer, group);
  return GRAPNEL_OK;
}
const grapnel_schedule schedule_table = {sizeof(grapnel_schedule), 0, set_factor, get_factor, rate};

// ---- autograd: values without gradients; a term must have been made while they were recorded
std::int32_t begin_recording(const grapnel_host* host) {
  RecordingHost& self = RecordingHost::of(host);
  if (!self.step_loss) return GRAPNEL_NOT_NOW;
  if (self.is_recording) return GRAPNEL_INVALID_ARGUMENT;
  self.is_recording = true;
  return GRAPNEL_OK;
}
std::int32_t end_recording(const grapnel_host* host) {
  RecordingHost& self = RecordingHost::of(host);
  if (!self.step_loss) return GRAPNEL_NOT_NOW;
  if (!self.is_recording) return GRAPNEL_INVALID_ARGUMENT;
  self.is_recording = false;
  return GRAPNEL_OK;
}
std::int32_t step_loss(const grapnel_host* host, grapnel_tensor** owned) {
  RecordingHost& self = RecordingHost::of(host);
  if (!self.step_loss) return GRAPNEL_NOT_NOW;
  *owned = self.new_handle(FakeTensor::scalar(*self.step_loss));
  return GRAPNEL_OK;
}
std::int32_t add_term(const grapnel_host* host, grapnel_string name, const grapnel_tensor* term) {
  RecordingHost& self = RecordingHost::of(host);
  if (!is_text(name) || name.size == 0 || term == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (!self.step_loss) return GRAPNEL_NOT_NOW;
  const FakeTensor& tensor = *RecordingHost::tensor(const_cast<grapnel_tensor*>(term));
  if (tensor.values.size() != 1 || !std::isfinite(tensor.values[0])) {
    return self.pending = true, GRAPNEL_PENDING;
  }
  self.loss_terms.emplace_back(text(name), tensor.values[0]);
  return GRAPNEL_OK;
}
const grapnel_autograd autograd_table = {
    sizeof(grapnel_autograd), 0, begin_recording, end_recording, step_loss, add_term};

// ---- thread
std::int32_t post(const grapnel_host* host, grapnel_posted run, grapnel_posted drop, void* data) {
  if (run == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost& self = RecordingHost::of(host);
  const std::lock_guard lock(self.posted_mutex);
  if (!self.takes_posted) return GRAPNEL_NOT_NOW;
  self.posted.push_back({run, drop, data});
  return GRAPNEL_OK;
}
const grapnel_thread thread_table = {sizeof(grapnel_thread), 0, post};

// ---- device
std::int32_t device_info(const grapnel_host* host, const grapnel_device_info** info) {
  static grapnel_device_info recorded;
  const auto& device = RecordingHost::of(host).device;
  recorded = {sizeof recorded, device.type, device.type == GRAPNEL_DEVICE_CPU ? -1 : 0, 0,
              to_abi(device.name)};
  *info = &recorded;
  return GRAPNEL_OK;
}
std::int32_t device_memory(const grapnel_host* host, std::uint64_t* used, std::uint64_t* total) {
  const auto& memory = RecordingHost::of(host).device.memory;
  if (!memory) return GRAPNEL_NOT_FOUND;
  *used = memory->first;
  *total = memory->second;
  return GRAPNEL_OK;
}
template <class Known, class T>
std::int32_t known(const Known& value, T* out) {
  if (!value) return GRAPNEL_NOT_FOUND;
  *out = *value;
  return GRAPNEL_OK;
}
std::int32_t utilization(const grapnel_host* host, double* percent) {
  return known(RecordingHost::of(host).device.utilization, percent);
}
std::int32_t process_memory(const grapnel_host* host, std::uint64_t* resident) {
  return known(RecordingHost::of(host).device.process_memory, resident);
}
const grapnel_device device_table = {sizeof(grapnel_device), 0,           device_info,
                                     device_memory,          utilization, process_memory};

// ---- timing
std::int32_t phase(const grapnel_host* host, std::int32_t phase, double* seconds) {
  if (phase < GRAPNEL_PHASE_OTHER || phase > GRAPNEL_PHASE_VALIDATION) return GRAPNEL_UNSUPPORTED;
  const auto& times = RecordingHost::of(host).times;
  if (!times) return GRAPNEL_NOT_FOUND;
  *seconds = times->phases[static_cast<std::size_t>(phase)];
  return GRAPNEL_OK;
}
std::int32_t total_time(const grapnel_host* host, double* seconds, double* in_hooks) {
  const auto& times = RecordingHost::of(host).times;
  if (!times) return GRAPNEL_NOT_FOUND;
  *seconds = times->total;
  *in_hooks = times->in_hooks;
  return GRAPNEL_OK;
}
std::int32_t trained(const grapnel_host* host, std::int64_t* batches, std::int64_t* samples) {
  const auto& times = RecordingHost::of(host).times;
  if (!times) return GRAPNEL_NOT_FOUND;
  *batches = times->batches;
  *samples = times->samples;
  return GRAPNEL_OK;
}
std::int32_t samples_per_second(const grapnel_host* host, double* rate) {
  const auto& times = RecordingHost::of(host).times;
  if (!times) return GRAPNEL_NOT_FOUND;
  const double training = times->total - times->phases[GRAPNEL_PHASE_VALIDATION];
  *rate = training > 0 ? static_cast<double>(times->samples) / training : 0;
  return GRAPNEL_OK;
}
const grapnel_timing timing_table = {sizeof(grapnel_timing), 0, phase, total_time, trained,
                                     samples_per_second};

// ---- distributed
std::int32_t process_info(const grapnel_host*, const grapnel_process_info** info) {
  static constexpr grapnel_process_info only = {sizeof(grapnel_process_info), 0, 0, 1, 0};
  *info = &only;
  return GRAPNEL_OK;
}
std::int32_t barrier(const grapnel_host*) {
  return GRAPNEL_OK;
}
std::int32_t all_reduce(const grapnel_host*, grapnel_tensor* tensor, std::int32_t reduction) {
  if (reduction < GRAPNEL_REDUCE_SUM || reduction > GRAPNEL_REDUCE_MAX) return GRAPNEL_UNSUPPORTED;
  return tensor == nullptr ? GRAPNEL_INVALID_ARGUMENT : GRAPNEL_OK;
}
std::int32_t broadcast(const grapnel_host*, grapnel_tensor* tensor, std::int64_t source) {
  return tensor == nullptr || source != 0 ? GRAPNEL_INVALID_ARGUMENT : GRAPNEL_OK;
}
const grapnel_distributed distributed_table = {
    sizeof(grapnel_distributed), 0, process_info, barrier, all_reduce, broadcast};

}  // namespace

const void* run_table(std::string_view id) {
  if (id == GRAPNEL_EXT_SCHEDULE) return &schedule_table;
  if (id == GRAPNEL_EXT_AUTOGRAD) return &autograd_table;
  if (id == GRAPNEL_EXT_THREAD) return &thread_table;
  if (id == GRAPNEL_EXT_DEVICE) return &device_table;
  if (id == GRAPNEL_EXT_TIMING) return &timing_table;
  if (id == GRAPNEL_EXT_DISTRIBUTED) return &distributed_table;
  return nullptr;
}

}  // namespace grapnel::test
