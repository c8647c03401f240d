#include "instance.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/host/instance_check.h>

#include "describe_exception.h"
#include "ext/event.h"
#include "ext/lease_list.h"
#include "forks.h"

namespace grapnel::bridge {
namespace {

Call call_of(const char* name) {
  Call call;
  call.name = name;
  return call;
}

}  // namespace

PluginInstance::PluginInstance(PluginSite site, Parameters parameters,
                               const grapnel_factory& factory, PluginCallback& owner,
                               bool links_libtorch)
    : links_libtorch_(links_libtorch),
      host_(std::move(site), std::move(parameters), owner),
      guards_whole_thread_(links_libtorch) {
  watch_forks();
  create(factory);
  try {
    init();
    read_hooks();
    find_state_extension();
    find_metrics_sink();
  } catch (...) {
    destroy();
    throw;
  }
}

PluginInstance::~PluginInstance() {
  destroy();
}

// ---- Life

void PluginInstance::refuse(const std::string& message) {
  throw PluginError(fmt::format("{} can't be used: {}", name(), message), host_.site());
}

void PluginInstance::refuse_reserved(std::string_view whose, std::uint32_t reserved) {
  if (const std::string fault = host::reserved_fault(whose, reserved); !fault.empty()) {
    refuse(fault);
  }
}

void PluginInstance::refuse(const Call& call, std::int32_t status) {
  const std::exception_ptr failure = failure_of(call, status);
  try {
    std::rethrow_exception(failure);
  } catch (const PluginError&) {
    throw;
  } catch (...) {  // of a service; it doesn't name the plugin
    throw PluginError(fmt::format("{} failed in {}: a host service failed: {}", name(), call.name,
                                  describe_exception(failure)),
                      host_.site());
  }
}

void PluginInstance::create(const grapnel_factory& factory) {
  const Call call = call_of("create");
  grapnel_instance* made = nullptr;
  const std::int32_t status =
      enter(call, [&] { return factory.create(&factory, host_.abi(), &made); });
  if (status != GRAPNEL_OK) refuse(call, status);
  failure_of(call, status);  // logs an ignored failure of a service
  if (const std::string fault = host::instance_fault(made); !fault.empty()) refuse(fault);
  instance_ = made;
  host_.posted.open();
}

void PluginInstance::init() {
  const Call call = call_of("init");
  const std::int32_t status = enter(call, [&] { return instance_->init(instance_, host_.abi()); });
  if (status != GRAPNEL_OK) refuse(call, status);
  failure_of(call, status);
}

void PluginInstance::read_hooks() {
  if (const std::string fault = host::hook_list_fault(*instance_); !fault.empty()) refuse(fault);
  const std::uint32_t count = instance_->hook_count;
  for (std::uint32_t i = 0; i < count; ++i) {
    const grapnel_hook_entry* const entry = instance_->hooks[i];
    if (const std::string fault = host::hook_entry_fault(entry); !fault.empty()) refuse(fault);
    const std::string label = host::hook_label(entry->hook);
    if (!host::is_known_hook(*entry)) {
      host_.log(
          LogLevel::warning,
          fmt::format("it uses {}, but this host knows only 0 to {}; the hook is optional and "
                      "is left out",
                      label, kHookCount - 1));
      continue;
    }
    if (slots_[entry->hook].function != nullptr)
      refuse(fmt::format("it lists the hook {} twice", label));
    slots_[entry->hook].function = entry->call;
    mask_.set(entry->hook);
  }
}

// An extension table of the plugin; nullptr: none.
const void* PluginInstance::own_extension(std::string_view id) {
  if (instance_->struct_size < GRAPNEL_END_OF(grapnel_instance, get_extension) ||
      instance_->get_extension == nullptr) {
    return nullptr;
  }
  const Call call = call_of("get_extension");
  const void* table = nullptr;
  const std::int32_t status =
      enter(call, [&] { return instance_->get_extension(instance_, to_abi(id), &table); });
  if (status == GRAPNEL_NOT_FOUND) return nullptr;
  if (status != GRAPNEL_OK) refuse(call, status);
  failure_of(call, status);  // logs a service's failure that was ignored
  if (table == nullptr) {
    refuse(fmt::format("get_extension() returned OK but no table for {}", id));
  }
  return table;
}

void PluginInstance::find_state_extension() {
  const auto* state = static_cast<const grapnel_state*>(own_extension(GRAPNEL_EXT_STATE));
  if (state == nullptr) return;
  if (state->struct_size < GRAPNEL_END_OF(grapnel_state, load) || state->save == nullptr ||
      state->load == nullptr) {
    refuse("its extension grapnel.state/1 lacks save or load");
  }
  refuse_reserved("its extension grapnel.state/1", state->reserved);
  state_ = state;
}

void PluginInstance::find_metrics_sink() {
  const auto* sink =
      static_cast<const grapnel_metrics_sink*>(own_extension(GRAPNEL_EXT_METRICS_SINK));
  if (sink == nullptr) return;
  if (sink->struct_size < GRAPNEL_END_OF(grapnel_metrics_sink, end)) {
    refuse("its extension grapnel.metrics_sink/1 is too short: by its struct_size it lacks end");
  }
  if (sink->write == nullptr) refuse("its extension grapnel.metrics_sink/1 lacks write");
  refuse_reserved("its extension grapnel.metrics_sink/1", sink->reserved);
  sink_ = sink;
}

void PluginInstance::call_extension(const char* name, Trainer& trainer,
                                    c10::function_ref<std::int32_t(grapnel_instance*)> function) {
  Call call = call_of(name);
  call.trainer = &trainer;
  throw_failure(call, enter(call, sink_calls_, [&] { return function(instance_); }));
}

// ---- User-defined events

std::vector<EventHandler> PluginInstance::event_handlers() {
  constexpr std::uint64_t kMostHandlers = 4096;
  std::vector<EventHandler> handlers;
  const auto* table = static_cast<const grapnel_event_handlers*>(own_extension(GRAPNEL_EXT_EVENT));
  if (table == nullptr) return handlers;
  if (table->struct_size < GRAPNEL_END_OF(grapnel_event_handlers, handler) ||
      table->count == nullptr || table->handler == nullptr) {
    refuse("its extension grapnel.event/1 lacks count or handler");
  }
  refuse_reserved("its extension grapnel.event/1", table->reserved);
  const Call call = call_of("event.handler");
  std::uint64_t count = 0;
  std::int32_t status = enter(call, [&] { return table->count(instance_, &count); });
  if (status != GRAPNEL_OK) refuse(call, status);
  if (count > kMostHandlers)
    refuse(fmt::format("it declares {} event handlers, at most {} are accepted", count,
                       kMostHandlers));
  for (std::uint64_t i = 0; i < count; ++i) {
    const grapnel_event_handler* declared = nullptr;
    status = enter(call, [&] { return table->handler(instance_, i, &declared); });
    if (status != GRAPNEL_OK) refuse(call, status);
    try {
      EventHandler handler;
      DeclaredHandler copy = read_event_handler(declared, handler);
      for (const EventHandler& other : handlers) {
        if (other.event == handler.event) {
          throw ContractBreach{fmt::format("two handlers of {}", quote(handler.event))};
        }
      }
      handler.call = [this, copy = std::move(copy)](CustomEvent& event,
                                                    const BoundArguments& arguments) {
        call_event(copy, event, arguments);
      };
      handlers.push_back(std::move(handler));
    } catch (const ContractBreach& breach) {
      refuse("it broke the contract of grapnel.event/1: " + breach.text);
    }
  }
  return handlers;
}

void PluginInstance::call_event(const DeclaredHandler& handler, CustomEvent& event,
                                const BoundArguments& arguments) {
  const EventValues values(host_, handler, arguments);
  const std::string name(event.name);
  Call call = call_of(name.c_str());
  call.in_hook = true;
  call.custom = true;
  call.recurs = true;
  call.trainer = &event.trainer;
  call.module = &event.module;
  call.event = &event;
  throw_failure(
      call, enter(call, [&] { return handler.call(instance_, handler.handler, values.data()); }));
}

void PluginInstance::destroy() noexcept {
  if (instance_ == nullptr) return;
  grapnel_instance* const instance = std::exchange(instance_, nullptr);
  drop_posted(instance);
  try {
    const Call call = call_of("destroy");
    const std::int32_t status = enter(call, [&] { return instance->destroy(instance); });
    if (const std::exception_ptr failure = failure_of(call, status)) {
      log_warning("{}", describe_exception(failure));
    }
    if (host_.leases != nullptr) {
      for (const std::string& reason : host_.leases->take_undone()) {
        log_warning("{} never ended its lease {}; it was undone when the run ended", name(),
                    quote(reason));
      }
    }
    if (host_.tensors.owned() > 0) {
      log_warning("{} never released {} tensors; they were freed", name(), host_.tensors.owned());
    }
  } catch (const std::exception& error) {
    log_error("{}: destroy: {}", name(), error.what());
  }
}

// Its threads may post until destroy is called.
void PluginInstance::drop_posted(grapnel_instance* instance) noexcept {
  host_.posted.close();
  try {
    while (const auto posted = host_.posted.take()) {
      if (posted->drop == nullptr) continue;
      Call call = call_of("the dropping of a posted function");
      call.recurs = true;  // there may be thousands
      failure_of(call, enter(call, posted_, [&] { return posted->drop(instance, posted->data); }));
    }
  } catch (const std::exception& error) {
    log_error("{}: {}", name(), error.what());
  }
}

// ---- State

std::optional<std::string> PluginInstance::own_state_key() {
  if (state_ == nullptr || state_->key == nullptr) return std::nullopt;
  const Call call = call_of("state.key");
  grapnel_string key{};
  const std::int32_t status = enter(call, [&] { return state_->key(instance_, &key); });
  if (status == GRAPNEL_NOT_FOUND) return std::nullopt;
  if (status != GRAPNEL_OK) refuse(call, status);
  const std::string_view text = view(key);
  if ((key.data == nullptr && key.size > 0) || !is_state_key(text)) {
    refuse("its state key is not 1 to 512 bytes of UTF-8 without control characters");
  }
  return std::string(text);
}

// The generators are part of the state once an operator has drawn from them, factors on learning rates
// once there are some.
StateDict PluginInstance::checkpoint_state() {
  StateDict state = own_state();
  const InstanceHost::ServiceState services = host_.service_state();
  if (services.generators.empty() && services.rate_factors.empty()) return state;
  if (state.empty()) {
    state = {{"version", host_.site().version}, {"keep_if_absent", false}, {"state", StateDict()}};
  }
  if (!services.rate_factors.empty()) {
    state.append("rate_factors", services.rate_factors.state());
  }
  if (services.generators.empty()) return state;
  StateDict generators;
  for (const auto& [device, random] : services.generators) {
    generators.append(device, random.clone());
  }
  state.append("generators", std::move(generators));
  return state;
}

// Why load_service_state() can't take it; empty: it can.
std::string PluginInstance::service_state_fault(const StateDict& state) const {
  if (const StateValue* factors = state.find("rate_factors")) {
    if (const std::string fault = RateFactors::fault(*factors); !fault.empty()) return fault;
  }
  const StateValue* generators = state.find("generators");
  if (generators == nullptr) return {};
  if (!generators->is_dict()) return "its 'generators' are not states by device";
  for (const auto& [device, random] : generators->to_dict()) {
    const std::string fault = random.is_tensor() ? generator_state_fault(device, random.to_tensor())
                                                 : "it is not a tensor";
    if (!fault.empty()) return fmt::format("the generator of {}: {}", quote(device), fault);
  }
  return {};
}

// What the host's services keep with an instance's own state.
void PluginInstance::load_service_state(const StateDict& state) {
  host_.rate_factors.clear();
  if (const StateValue* factors = state.find("rate_factors")) host_.rate_factors.load(*factors);
  host_.generators.states.clear();
  const StateValue* generators = state.find("generators");
  if (generators == nullptr || !generators->is_dict()) return;
  for (const auto& [device, random] : generators->to_dict()) {
    if (random.is_tensor()) host_.generators.states[device] = random.to_tensor().clone();
  }
}

StateDict PluginInstance::own_state() {
  if (state_ == nullptr) return kept_state_;
  const Call call = call_of("state.save");
  writer_.open();
  const std::int32_t status = enter(call, [&] { return state_->save(instance_, writer_.abi()); });
  StateDict state = writer_.close();
  throw_failure(call, status);
  return {{"version", host_.site().version}, {"keep_if_absent", true}, {"state", std::move(state)}};
}

void PluginInstance::load_checkpoint_state(const StateDict& state) {
  const auto refuse = [this](const std::string& why) {
    throw CheckpointError({}, fmt::format("{} can't load its state{}", name(), why));
  };
  if (state.empty() && state_ == nullptr) {  // from before one was loaded
    kept_state_.clear();
    host_.rate_factors.clear();
    return;
  }
  const StateValue* version = state.find("version");
  const StateValue* content = state.find("state");
  if (version == nullptr || !version->is_string() || content == nullptr || !content->is_dict()) {
    refuse(": it is not a plugin's state, which has a 'version' and a 'state'");
  }
  if (const std::string fault = service_state_fault(state); !fault.empty()) refuse(": " + fault);
  if (state_ == nullptr) {
    kept_state_ = state;
    kept_state_.erase("generators");  // checkpoint_state() adds both as they are then
    kept_state_.erase("rate_factors");
    load_service_state(state);
    return;
  }
  reader_.open(content->to_dict(), version->to_string());
  const Call call = call_of("state.load");
  const std::int32_t status = enter(call, [&] { return state_->load(instance_, reader_.abi()); });
  reader_.close();
  if (const std::exception_ptr failure = failure_of(call, status)) {
    refuse(fmt::format(", which version {} wrote: {}", printable(version->to_string()),
                       describe_exception(failure)));
  }
  load_service_state(state);
}

}  // namespace grapnel::bridge
