#include <grapnel/testkit/recording_host.h>

#include <stdexcept>
#include <utility>

#include "services.h"

namespace grapnel::testkit {

FakeTensorPtr FakeTensor::make(std::vector<double> values, std::int32_t dtype) {
  auto tensor = std::make_shared<FakeTensor>();
  tensor->dtype = dtype;
  tensor->sizes = {static_cast<std::int64_t>(values.size())};
  tensor->values = std::move(values);
  return tensor;
}

FakeTensorPtr FakeTensor::scalar(double value, std::int32_t dtype) {
  auto tensor = make({value}, dtype);
  tensor->sizes.clear();
  return tensor;
}

const RecordedState::Value* RecordedState::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

// ---- The host

struct RecordingHost::Abi {
  grapnel_host host{};
  std::uint64_t tail[4] = {};  // what a grown host has in addition
  RecordingHost* self = nullptr;
};

namespace {

std::int32_t GRAPNEL_CALL get_extension(const grapnel_host* host, grapnel_string id,
                                        const void** table) {
  if (table == nullptr || !is_text(id)) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost& self = RecordingHost::of(host);
  if (self.ended) return GRAPNEL_NOT_NOW;
  const std::string name = text(id);
  const std::lock_guard<std::mutex> lock(self.mutex);
  self.extensions.insert(name);
  if (self.failing.count(name) != 0) {
    self.pending = self.failing_status == GRAPNEL_PENDING;
    return self.failing_status;
  }
  if (self.missing.count(name) != 0) return GRAPNEL_NOT_FOUND;
  const void* found = shaped_table(name, service_table(name), self.shape);
  if (found == nullptr) return GRAPNEL_NOT_FOUND;
  *table = found;
  return GRAPNEL_OK;
}

std::int32_t GRAPNEL_CALL fail(const grapnel_host* host, grapnel_string reason) {
  RecordingHost& self = RecordingHost::of(host);
  const std::int32_t answer = self.before_service("host.fail", false);
  if (answer != GRAPNEL_OK) return answer;
  if (!is_text(reason)) return self.refuse("host.fail", "no text");
  self.failures.push_back(text(reason));
  return GRAPNEL_OK;
}

}  // namespace

RecordingHost::RecordingHost() : abi_(std::make_unique<Abi>()) {
  abi_->self = this;
  abi_->host.struct_size = sizeof(grapnel_host);
  abi_->host.abi_minor = GRAPNEL_ABI_MINOR;
  abi_->host.name = to_abi("recording host");
  abi_->host.version = to_abi("0.1.0");
  abi_->host.get_extension = get_extension;
  abi_->host.fail = testkit::fail;
  trainer.stage = GRAPNEL_STAGE_TRAIN;
  trainer.run = GRAPNEL_RUN_FIT;
  trainer.max_epochs = trainer.max_steps = trainer.num_training_batches = -1;
  trainer.max_time = -1;
  trainer.accumulate_grad_batches = 1;
}

RecordingHost::~RecordingHost() {
  for (const auto* handles : {&lent_, &owned_}) {
    for (const grapnel_tensor* handle : *handles) {
      delete reinterpret_cast<FakeTensorPtr*>(const_cast<grapnel_tensor*>(handle));
    }
  }
}

const grapnel_host* RecordingHost::abi() const {
  abi_->host.struct_size = sizeof(grapnel_host);
  abi_->host.abi_minor = GRAPNEL_ABI_MINOR;
  if (shape == HostShape::older) abi_->host.abi_minor = GRAPNEL_ABI_LOWEST_MINOR;
  if (shape == HostShape::grown) {
    abi_->host.struct_size += sizeof abi_->tail;
    abi_->host.abi_minor += 1;
  }
  return &abi_->host;
}

RecordingHost& RecordingHost::of(const grapnel_host* host) {
  return *reinterpret_cast<const Abi*>(host)->self;
}

grapnel_tensor* RecordingHost::new_handle(FakeTensorPtr tensor) {
  ++live_handles;
  auto* handle = reinterpret_cast<grapnel_tensor*>(new FakeTensorPtr(std::move(tensor)));
  owned_.insert(handle);
  return handle;
}

grapnel_tensor* RecordingHost::lend_handle(FakeTensorPtr tensor) {
  auto* handle = reinterpret_cast<grapnel_tensor*>(new FakeTensorPtr(std::move(tensor)));
  lent_.insert(handle);
  return handle;
}

void RecordingHost::drop(grapnel_tensor* handle) {
  owned_.erase(handle);
  unfinished_writes += static_cast<std::int64_t>(writes.erase(handle));
  delete reinterpret_cast<FakeTensorPtr*>(handle);
  --live_handles;
}

bool RecordingHost::owns(const grapnel_tensor* handle) const {
  return owned_.count(handle) != 0;
}

bool RecordingHost::knows(const grapnel_tensor* handle) const {
  return owns(handle) || lent_.count(handle) != 0;
}

std::int32_t RecordingHost::before_service(const char* service, bool any_thread) {
  if (ended) return GRAPNEL_NOT_NOW;
  const std::lock_guard<std::mutex> lock(mutex);
  services.insert(service);
  if (!any_thread && std::this_thread::get_id() != thread_) {
    breaches.push_back(std::string(service) + ": called on a thread of the plugin's own");
    return GRAPNEL_WRONG_THREAD;
  }
  if (failing.count(service) == 0) return GRAPNEL_OK;
  pending = failing_status == GRAPNEL_PENDING;
  return failing_status;
}

std::int32_t RecordingHost::after_service(const char* service, std::int32_t status) {
  if (status != GRAPNEL_INVALID_ARGUMENT) return status;
  return refuse(service, "an argument that a host refuses");
}

std::int32_t RecordingHost::refuse(const char* service, const char* why) {
  const std::lock_guard<std::mutex> lock(mutex);
  breaches.push_back(std::string(service) + ": " + why);
  return GRAPNEL_INVALID_ARGUMENT;
}

FakeTensorPtr& RecordingHost::tensor(grapnel_tensor* handle) {
  return *reinterpret_cast<FakeTensorPtr*>(handle);
}

void RecordingHost::begin_lease(WeightLease& lease) {
  for (const auto& [target, values] : lease.swaps) own_values.emplace(target, target->values);
  apply_leases();
}

void RecordingHost::end_lease(WeightLease& lease) {
  lease.active = false;
  for (const std::size_t index : lease.frozen) parameters[index].trainable = true;
  apply_leases();
}

void RecordingHost::end_leases() {
  for (WeightLease& lease : leases) {
    if (!lease.active) continue;
    end_lease(lease);
    ++leases_undone;
  }
}

std::int64_t RecordingHost::active_leases() const {
  std::int64_t count = 0;
  for (const WeightLease& lease : leases) count += lease.active ? 1 : 0;
  return count;
}

void RecordingHost::apply_leases() {
  std::map<FakeTensorPtr, std::vector<double>> wanted = own_values;
  lease_reason.clear();
  std::set<FakeTensorPtr> leased;
  for (const WeightLease& lease : leases) {
    if (!lease.active) continue;
    lease_reason = lease.reason;
    for (const auto& [target, values] : lease.swaps) {
      wanted[target] = values;
      leased.insert(target);
    }
  }
  for (auto& [target, values] : wanted) {
    target->values = values;
    if (leased.count(target) == 0) own_values.erase(target);
  }
}

}  // namespace grapnel::testkit
