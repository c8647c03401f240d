// One callback of a plugin, running in a Trainer: the C ABI on the one side, core's Callback on the
// other.
//
// Rules: whatever the plugin does, it stays its own. Gradients are not recorded while it runs, the
// thread's modes are put back afterwards, an exception of a host's service comes out again as it was,
// and every failure of the plugin is thrown as a PluginError with its id, version, callback and hook;
// what becomes of it, CallbackHandle::on_error says. The instance is made by the constructor and destroyed by the destructor, once, whatever happened.
// Not thread-safe: make, run and destroy it on the thread that trains.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/base/json.h>
#include <grapnel/callback.h>
#include <grapnel/event_handlers.h>
#include <grapnel/host/manifest.h>

namespace grapnel::bridge {

class PluginInstance;
class InstanceHost;

struct PluginCallbackOptions {
  ConfigValue parameters = {};  // as run.json gives them; null: all defaults
  std::string name = {};        // tells two instances of the callback apart; may be empty
};

// Its handlers are those of user-defined events, which a Fabric calls.
class PluginCallback final : public Callback, public EventHandlers {
 public:
  // Makes and initializes the instance. `callback` is one of the manifest's; `factory` must live as
  // long as the object (a loaded library stays for ever). ConfigError when the parameters are not
  // acceptable, PluginError when the plugin refuses or breaks the contract.
  PluginCallback(const host::Manifest& manifest, const std::string& callback,
                 const grapnel_factory& factory, const PluginCallbackOptions& options = {});
  ~PluginCallback() override;

#define GRAPNEL_HOOK(id, hook, EventType, stage, module) void hook(EventType& event) override;
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  // The plugin's id; "<id>.<callback>" where the callback has another name.
  std::string type_name() const override;
  std::string owner_name() const override {
    return label_;
  }
  // "<plugin id>/<callback>/<key>", where key is the explicit name, else the instance's own key, else
  // made of its identifying parameters, else "default".
  std::string state_key() const override;
  // The same under the former ids of the plugin.
  std::vector<std::string> former_state_keys() const override;
  // {"version", "keep_if_absent": true, "state"}; empty when it keeps none.
  StateDict state_dict() const override;
  // CheckpointError naming plugin and versions when the plugin refuses the state.
  void load_state_dict(const StateDict& state) override;
  HookMask wanted(const HookMask& overridden) const override;
  // Ends its leases.
  void on_disabled() override;

  const PluginSite& site() const;
  // The parameters that it runs with, defaults filled in.
  const Parameters& parameters() const;

 private:
  friend class InstanceHost;
  void log_metric(Event& event, const std::string& name, const LogValue& value,
                  const LogOptions& options);

  std::string label_;
  std::string state_key_;
  std::vector<std::string> former_state_keys_;
  std::unique_ptr<PluginInstance> instance_;
};

}  // namespace grapnel::bridge
