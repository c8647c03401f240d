#include <stdexcept>
#include <string>
#include <utility>

#include <grapnel/testkit/recording_host.h>

namespace grapnel::testkit {

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
  destroy();
}

std::int32_t RunningCallback::destroy() {
  if (instance_ == nullptr) return GRAPNEL_OK;
  grapnel_instance* const instance = instance_;
  {
    const std::lock_guard<std::mutex> lock(host_->posted_mutex);
    host_->takes_posted = false;
  }
  while (const auto posted = next_posted()) {
    if (posted->drop != nullptr) posted->drop(instance, posted->data);
  }
  instance_ = nullptr;
  return instance->destroy(instance);
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
  const std::lock_guard<std::mutex> lock(host_->posted_mutex);
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
  if (!GRAPNEL_HAS(instance, get_extension) || instance->get_extension == nullptr) return nullptr;
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

const grapnel_metrics_sink* RunningCallback::metrics_sink() const {
  return static_cast<const grapnel_metrics_sink*>(
      extension_of(instance_, GRAPNEL_EXT_METRICS_SINK));
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

}  // namespace grapnel::testkit
