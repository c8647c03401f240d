#include <grapnel/bridge/plugin_callback.h>

#include <fmt/format.h>

#include <optional>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/trainer.h>

#include "events.h"
#include "ext/plugin_logger.h"
#include "instance.h"

namespace grapnel::bridge {
namespace {

const host::CallbackManifest& find_callback(const host::Manifest& manifest,
                                            const std::string& callback) {
  if (const host::CallbackManifest* found = manifest.find(callback)) return *found;
  throw PluginError(fmt::format("plugin {} {} has no callback {}", quote(manifest.id),
                                printable(manifest.version), quote(callback)),
                    {manifest.id, manifest.version, callback, {}});
}

std::string label_of(const host::Manifest& manifest, const std::string& callback) {
  return callback == manifest.id ? callback : manifest.id + "." + callback;
}

// {"tag":"slow"}: the parameters that distinguish instances; empty: none.
std::string identifying_key(const ParameterTable& table, const Parameters& parameters) {
  ConfigValue key = ConfigValue::object();
  for (const ParameterSpec& spec : table.specs()) {
    if (spec.is_identifying) key.set(spec.name, parameters.get<ConfigValue>(spec.name));
  }
  return key.size() == 0 ? std::string() : write_json(key);
}

// What the host itself does with an event before the plugin has it.
void before_hook(PluginInstance& instance, const ExceptionEvent& event,
                 const std::vector<std::weak_ptr<PluginLogger>>& loggers) {
  instance.tell_of_part(event);
  for (const auto& each : loggers) {
    if (const auto logger = each.lock()) logger->note_exception(event);
  }
}
void before_hook(PluginInstance& instance, const StageEvent& event,
                 const std::vector<std::weak_ptr<PluginLogger>>&) {
  if (event.run == RunKind::fit && instance.host().asked_for_timing) event.trainer.measure_phases();
}
template <class EventType>
void before_hook(PluginInstance&, const EventType&,
                 const std::vector<std::weak_ptr<PluginLogger>>&) {}

constexpr std::size_t bit(Hook hook) {
  return static_cast<std::size_t>(hook);
}

// Where functions that the plugin's threads have posted run, whatever hooks it lists.
constexpr Hook kPostingHooks[] = {Hook::on_train_batch_start,
                                  Hook::on_train_batch_end,
                                  Hook::on_train_epoch_end,
                                  Hook::on_validation_batch_start,
                                  Hook::on_validation_batch_end,
                                  Hook::on_validation_epoch_end,
                                  Hook::on_test_batch_start,
                                  Hook::on_test_batch_end,
                                  Hook::on_test_epoch_end,
                                  Hook::on_predict_batch_start,
                                  Hook::on_predict_batch_end,
                                  Hook::on_predict_epoch_end,
                                  Hook::on_run_end};

}  // namespace

PluginCallback::PluginCallback(const host::Manifest& manifest, const std::string& callback,
                               const grapnel_factory& factory, const PluginCallbackOptions& options)
    : label_(label_of(manifest, callback)), origin_directory_(options.origin_directory) {
  const host::CallbackManifest& declared = find_callback(manifest, callback);
  set_name(options.name);
  Parameters parameters = declared.parameters.validate(options.parameters, "callbacks." + label_);
  const std::string from_parameters = identifying_key(declared.parameters, parameters);
  instance_ = std::make_unique<PluginInstance>(
      PluginSite{manifest.id, manifest.version, callback, {}}, std::move(parameters), factory,
      *this, options.links_libtorch);
  for (EventHandler& handler : instance_->event_handlers()) add_handler(std::move(handler));
  std::string key = options.name;
  if (key.empty()) key = instance_->own_state_key().value_or(from_parameters);
  if (key.empty()) key = "default";
  state_key_ = fmt::format("{}/{}/{}", manifest.id, callback, key);
  for (const std::string& former_id : manifest.aliases) {
    former_state_keys_.push_back(fmt::format("{}/{}/{}", former_id, callback, key));
  }
}

PluginCallback::~PluginCallback() {
  detach_loggers();
}

#define GRAPNEL_HOOK(id, hook, EventType, stage, module)                                         \
  void PluginCallback::hook(EventType& event) {                                                  \
    before_hook(*instance_, event, loggers_);                                                    \
    const Translated<grapnel_##EventType, EventType> made(instance_->host(), Hook::hook, event); \
    if constexpr (recurs(Hook::hook)) {                                                          \
      instance_->fire_recurring<Hook::hook>(call_of(Hook::hook, event), made.abi());             \
    } else {                                                                                     \
      instance_->fire(call_of(Hook::hook, event), made.abi());                                   \
    }                                                                                            \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

std::string PluginCallback::type_name() const {
  return label_;
}
std::string PluginCallback::state_key() const {
  return state_key_;
}
std::vector<std::string> PluginCallback::former_state_keys() const {
  return former_state_keys_;
}
HookMask PluginCallback::hooks() const {
  return instance_->hooks();
}
HookMask PluginCallback::wanted(const HookMask&) const {
  HookMask mask = instance_->hooks();
  // What it wrote there may be why the run fails.
  for (const Hook hook :
       {Hook::on_before_backward, Hook::on_before_zero_grad, Hook::on_train_batch_start,
        Hook::on_validation_batch_start, Hook::on_test_batch_start, Hook::on_predict_batch_start}) {
    if (mask.test(bit(hook))) mask.set(bit(Hook::on_exception));
  }
  if (instance_->host().asked_for_timing) mask.set(bit(Hook::setup));
  if (instance_->host().asked_for_thread) {
    for (const Hook hook : kPostingHooks) mask.set(bit(hook));
  }
  if (instance_->metrics_sink() != nullptr) mask.set(bit(Hook::on_exception));  // how it ends
  return mask;
}
std::vector<PluginCallback::HookTime> PluginCallback::hook_times() const {
  return instance_->hook_times();
}
const PluginSite& PluginCallback::site() const {
  return instance_->host().site();
}
const Parameters& PluginCallback::parameters() const {
  return instance_->host().parameters();
}
void PluginCallback::on_disabled() {
  for (const auto& each : loggers_) {
    if (const auto logger = each.lock()) logger->give_up();
  }
  detach_loggers();
  instance_->end_leases();
  instance_->end_display();
  instance_->host().rate_factors.clear();
}
double PluginCallback::learning_rate_factor(std::size_t optimizer_idx, std::size_t group) const {
  return instance_->host().rate_factors.get(optimizer_idx, group);
}

std::shared_ptr<Logger> PluginCallback::make_logger(Trainer& trainer) {
  if (instance_->metrics_sink() == nullptr) return nullptr;
  auto logger = std::make_shared<PluginLogger>(*instance_, trainer);
  loggers_.push_back(logger);
  return logger;
}
void PluginCallback::detach_loggers() noexcept {
  for (const auto& each : loggers_) {
    if (const auto logger = each.lock()) logger->detach();
  }
  loggers_.clear();
}

StateDict PluginCallback::state_dict() const {
  return instance_->checkpoint_state();
}
void PluginCallback::load_state_dict(const StateDict& state) {
  instance_->load_checkpoint_state(state);
}

void PluginCallback::log_metric(Event& event, const std::string& name, const LogValue& value,
                                const LogOptions& options) {
  log(event, name, value, options);
}

}  // namespace grapnel::bridge
