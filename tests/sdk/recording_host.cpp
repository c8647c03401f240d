#include "recording_host.h"

#include <dlfcn.h>

#include <stdexcept>
#include <utility>

#include "recording_services.h"

namespace grapnel::test {

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
  grapnel_host host;
  RecordingHost* self;
};

RecordingHost::RecordingHost() : abi_(std::make_unique<Abi>()) {
  abi_->self = this;
  abi_->host.struct_size = sizeof(grapnel_host);
  abi_->host.abi_minor = GRAPNEL_ABI_MINOR;
  abi_->host.name = test::to_abi("recording host");
  abi_->host.version = test::to_abi("0.1.0");
  abi_->host.get_extension = [](const grapnel_host* host, grapnel_string id, const void** table) {
    if (table == nullptr || !is_text(id)) return GRAPNEL_INVALID_ARGUMENT;
    if (of(host).failing.count(text(id)) != 0) return of(host).pending = true, GRAPNEL_PENDING;
    if (of(host).missing.count(text(id)) != 0) return GRAPNEL_NOT_FOUND;
    const void* found = service_table(text(id));
    if (found == nullptr) return GRAPNEL_NOT_FOUND;
    *table = found;
    return GRAPNEL_OK;
  };
  abi_->host.fail = [](const grapnel_host* host, grapnel_string reason) {
    if (!is_text(reason)) return GRAPNEL_INVALID_ARGUMENT;
    of(host).failures.push_back(text(reason));
    return GRAPNEL_OK;
  };
  trainer.stage = GRAPNEL_STAGE_TRAIN;
  trainer.run = GRAPNEL_RUN_FIT;
  trainer.max_epochs = trainer.max_steps = trainer.num_training_batches = -1;
  trainer.max_time = -1;
  trainer.accumulate_grad_batches = 1;
}

RecordingHost::~RecordingHost() {
  for (const auto& entry : entries) {
    delete reinterpret_cast<FakeTensorPtr*>(entry->tensor);
    delete reinterpret_cast<FakeTensorPtr*>(entry->mask);
  }
}

const grapnel_host* RecordingHost::abi() const {
  return &abi_->host;
}

RecordingHost& RecordingHost::of(const grapnel_host* host) {
  return *reinterpret_cast<const Abi*>(host)->self;
}

grapnel_tensor* RecordingHost::new_handle(FakeTensorPtr tensor) {
  ++live_handles;
  return reinterpret_cast<grapnel_tensor*>(new FakeTensorPtr(std::move(tensor)));
}

void RecordingHost::drop(grapnel_tensor* handle) {
  delete reinterpret_cast<FakeTensorPtr*>(handle);
  --live_handles;
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
  apply_leases();
}

void RecordingHost::end_leases() {
  for (WeightLease& lease : leases) lease.active = false;
  apply_leases();
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

// ---- A library

PluginFile::PluginFile(const std::filesystem::path& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  entry_ = static_cast<const grapnel_plugin*>(dlsym(library, GRAPNEL_PLUGIN_SYMBOL_NAME));
  if (entry_ == nullptr) throw std::runtime_error(path.string() + " has no entry");
}

// ---- An instance

RunningCallback::RunningCallback(RecordingHost& host, const grapnel_plugin& plugin,
                                 std::string_view callback)
    : host_(&host) {
  const auto failed = [&](const char* where) {
    return std::runtime_error(std::string(where) + ": " +
                              (host.failures.empty() ? "no reason given" : host.failures.back()));
  };
  host.takes_posted = true;
  const grapnel_factory* factory = nullptr;
  for (std::uint64_t i = 0; i < plugin.factory_count; ++i) {
    if (text(plugin.factories[i]->callback) == callback) factory = plugin.factories[i];
  }
  if (factory == nullptr) throw std::runtime_error("no callback " + std::string(callback));
  if (factory->create(factory, host.abi(), &instance_) != GRAPNEL_OK) throw failed("create");
  if (instance_->init(instance_, host.abi()) != GRAPNEL_OK) {
    instance_->destroy(instance_);
    throw failed("init");
  }
}

RunningCallback::~RunningCallback() {
  {
    const std::lock_guard lock(host_->posted_mutex);
    host_->takes_posted = false;
  }
  while (const auto posted = next_posted()) {
    if (posted->drop != nullptr) posted->drop(instance_, posted->data);
  }
  instance_->destroy(instance_);
}

const grapnel_hook_entry* RunningCallback::entry(std::uint32_t hook) const {
  for (std::uint32_t i = 0; i < instance_->hook_count; ++i) {
    if (instance_->hooks[i]->hook == hook) return instance_->hooks[i];
  }
  return nullptr;
}

std::vector<std::uint32_t> RunningCallback::hooks() const {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < instance_->hook_count; ++i)
    ids.push_back(instance_->hooks[i]->hook);
  return ids;
}

bool RunningCallback::is_optional(std::uint32_t hook) const {
  return (entry(hook)->flags & GRAPNEL_HOOK_OPTIONAL) != 0;
}

std::int32_t RunningCallback::call(std::uint32_t hook, const grapnel_Event* event) {
  const grapnel_hook_entry* wanted = entry(hook);
  host_->trainer.run_directory = to_abi(host_->run_directory);  // up to date in each hook
  while (const auto posted = next_posted()) {
    if (const std::int32_t status = posted->run(instance_, posted->data)) return status;
  }
  return wanted == nullptr ? GRAPNEL_OK : wanted->call(instance_, event);
}

std::optional<RecordingHost::Posted> RunningCallback::next_posted() {
  const std::lock_guard lock(host_->posted_mutex);
  if (host_->posted.empty()) return std::nullopt;
  const RecordingHost::Posted first = host_->posted.front();
  host_->posted.pop_front();
  return first;
}

std::int32_t RunningCallback::train_batch_end(FakeOutputs outputs, std::int64_t batch_idx) {
  FakeBatch batch;
  grapnel_TrainBatchEnd event{};
  event.batch = reinterpret_cast<grapnel_batch*>(&batch);
  event.batch_idx = batch_idx;
  event.outputs = reinterpret_cast<grapnel_outputs*>(&outputs);
  return fire(GRAPNEL_HOOK_on_train_batch_end, event);
}

std::int32_t RunningCallback::before_optimizer_step() {
  return fire(GRAPNEL_HOOK_on_before_optimizer_step, grapnel_OptimizerEvent{});
}

namespace {

// Null when the instance has none. Throws std::runtime_error with the status when it can't say.
const void* extension_of(grapnel_instance* instance, std::string_view id) {
  const void* table = nullptr;
  const std::int32_t status = instance->get_extension(instance, to_abi(id), &table);
  if (status != GRAPNEL_OK && status != GRAPNEL_NOT_FOUND) {
    throw std::runtime_error("get_extension answered " + std::to_string(status));
  }
  return table;
}

std::vector<const grapnel_event_handler*> handlers_of(grapnel_instance* instance) {
  std::vector<const grapnel_event_handler*> handlers;
  const auto* table =
      static_cast<const grapnel_event_handlers*>(extension_of(instance, GRAPNEL_EXT_EVENT));
  if (table == nullptr) return handlers;
  std::uint64_t count = 0;
  table->count(instance, &count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const grapnel_event_handler* handler = nullptr;
    table->handler(instance, i, &handler);
    handlers.push_back(handler);
  }
  return handlers;
}

}  // namespace

const grapnel_event_handler* RunningCallback::event_handler(std::string_view event) const {
  for (const grapnel_event_handler* handler : handlers_of(instance_)) {
    if (text(handler->event) == event) return handler;
  }
  return nullptr;
}

std::vector<std::string> RunningCallback::events() const {
  std::vector<std::string> names;
  for (const grapnel_event_handler* handler : handlers_of(instance_)) {
    names.push_back(text(handler->event));
  }
  return names;
}

std::int32_t RunningCallback::fire_event(std::string_view event,
                                         const std::vector<grapnel_value>& values) {
  const grapnel_event_handler* handler = event_handler(event);
  if (handler == nullptr) throw std::runtime_error("no handler of " + std::string(event));
  return handler->call(instance_, handler, values.data());
}

const grapnel_state* RunningCallback::state() const {
  return static_cast<const grapnel_state*>(extension_of(instance_, GRAPNEL_EXT_STATE));
}

std::optional<std::string> RunningCallback::state_key() const {
  if (state() == nullptr || state()->key == nullptr) return {};
  grapnel_string key{};
  if (state()->key(instance_, &key) != GRAPNEL_OK) throw std::runtime_error("state_key failed");
  return text(key);
}

// ---- Its state

namespace {

struct Writer {
  grapnel_state_writer abi;
  RecordedState* state;

  static std::int32_t put(const grapnel_state_writer* writer, grapnel_string key,
                          RecordedState::Value value) {
    RecordedState& state = *reinterpret_cast<const Writer*>(writer)->state;
    if (key.size == 0 || key.size > 512 || state.find(text(key)) != nullptr) {
      return GRAPNEL_INVALID_ARGUMENT;
    }
    state.entries.emplace_back(text(key), std::move(value));
    return GRAPNEL_OK;
  }
};

struct Reader {
  grapnel_state_reader abi;
  const RecordedState* state;
  RecordingHost* host;

  template <class T, class Take>
  static std::int32_t get(const grapnel_state_reader* reader, grapnel_string key,
                          const Take& take) {
    const auto* value = reinterpret_cast<const Reader*>(reader)->state->find(text(key));
    if (value == nullptr) return GRAPNEL_NOT_FOUND;
    const T* held = std::get_if<T>(value);
    if (held == nullptr) return GRAPNEL_INVALID_ARGUMENT;
    take(*held);
    return GRAPNEL_OK;
  }
};

}  // namespace

RecordedState RunningCallback::save() const {
  RecordedState saved;
  Writer writer{};
  writer.state = &saved;
  writer.abi.struct_size = sizeof(grapnel_state_writer);
  writer.abi.put_tensor = [](const grapnel_state_writer* w, grapnel_string key,
                             const grapnel_tensor* tensor) {
    if (tensor == nullptr) return GRAPNEL_INVALID_ARGUMENT;
    return Writer::put(
        w, key,
        std::make_shared<FakeTensor>(*RecordingHost::tensor(const_cast<grapnel_tensor*>(tensor))));
  };
  writer.abi.put_array = [](const grapnel_state_writer* w, grapnel_string key, std::int32_t dtype,
                            const std::int64_t* sizes, std::uint64_t ndim, const void* data,
                            std::uint64_t bytes) {
    auto tensor = fake_from_data(dtype, sizes, ndim, data, bytes);
    return tensor == nullptr ? GRAPNEL_INVALID_ARGUMENT : Writer::put(w, key, std::move(tensor));
  };
  writer.abi.put_i64 = [](const grapnel_state_writer* w, grapnel_string key, std::int64_t value) {
    return Writer::put(w, key, value);
  };
  writer.abi.put_f64 = [](const grapnel_state_writer* w, grapnel_string key, double value) {
    return Writer::put(w, key, value);
  };
  writer.abi.put_string = [](const grapnel_state_writer* w, grapnel_string key,
                             grapnel_string value) { return Writer::put(w, key, text(value)); };
  writer.abi.put_bytes = [](const grapnel_state_writer* w, grapnel_string key, const void* data,
                            std::uint64_t size) {
    const auto* first = static_cast<const unsigned char*>(data);
    return Writer::put(w, key, std::vector<unsigned char>(first, first + size));
  };
  const std::int32_t status = state()->save(instance_, &writer.abi);
  if (status != GRAPNEL_OK) throw std::runtime_error("save answered " + std::to_string(status));
  return saved;
}

std::int32_t RunningCallback::load(const RecordedState& saved) {
  Reader reader{};
  reader.state = &saved;
  reader.host = host_;
  // Without type(), as in a host of before.
  reader.abi.struct_size = GRAPNEL_END_OF(grapnel_state_reader, key);
  reader.abi.version = to_abi(saved.version);
  reader.abi.get_tensor = [](const grapnel_state_reader* r, grapnel_string key,
                             grapnel_tensor** owned) {
    return Reader::get<FakeTensorPtr>(r, key, [&](const FakeTensorPtr& tensor) {
      *owned = reinterpret_cast<const Reader*>(r)->host->new_handle(
          std::make_shared<FakeTensor>(*tensor));
    });
  };
  reader.abi.get_i64 = [](const grapnel_state_reader* r, grapnel_string key, std::int64_t* value) {
    return Reader::get<std::int64_t>(r, key, [&](std::int64_t held) { *value = held; });
  };
  reader.abi.get_f64 = [](const grapnel_state_reader* r, grapnel_string key, double* value) {
    return Reader::get<double>(r, key, [&](double held) { *value = held; });
  };
  reader.abi.get_string = [](const grapnel_state_reader* r, grapnel_string key,
                             grapnel_string* value) {
    return Reader::get<std::string>(r, key,
                                    [&](const std::string& held) { *value = to_abi(held); });
  };
  reader.abi.get_bytes = [](const grapnel_state_reader* r, grapnel_string key, const void** data,
                            std::uint64_t* size) {
    return Reader::get<std::vector<unsigned char>>(r, key, [&](const auto& held) {
      *data = held.data();
      *size = held.size();
    });
  };
  reader.abi.count = [](const grapnel_state_reader* r, std::uint64_t* out) {
    *out = reinterpret_cast<const Reader*>(r)->state->entries.size();
    return GRAPNEL_OK;
  };
  reader.abi.key = [](const grapnel_state_reader* r, std::uint64_t index, grapnel_string* key) {
    const auto& entries = reinterpret_cast<const Reader*>(r)->state->entries;
    if (index >= entries.size()) return GRAPNEL_NOT_FOUND;
    *key = to_abi(entries[index].first);
    return GRAPNEL_OK;
  };
  return state()->load(instance_, &reader.abi);
}

}  // namespace grapnel::test
