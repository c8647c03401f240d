// One callback of a plugin, running in a Trainer or Fabric: adapts the C ABI to core's Callback.
//
// Rules: the plugin can't affect its surroundings. Gradients are not recorded while it runs, and
// the thread's modes are restored afterwards. An exception of a host service that the plugin passes
// on is rethrown as it was; every failure of the plugin itself is a PluginError with its id,
// version, callback and hook. CallbackHandle::on_error decides what happens then. The constructor
// makes the instance, the destructor destroys it, exactly once. Not thread-safe: make, run and
// destroy it on the training thread. Set the floating-point environment (at::set_flush_denormal)
// before a run or at an epoch's start, not within a batch: after a batch's hook it is put
// back to what it was.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/base/json.h>
#include <grapnel/callback.h>
#include <grapnel/event_handlers.h>
#include <grapnel/host/manifest.h>
#include <grapnel/logger_source.h>

namespace grapnel::bridge {

class PluginInstance;
class InstanceHost;
class PluginLogger;

struct PluginCallbackOptions {
  ConfigValue parameters = {};  // as run.json gives them; null: all defaults
  std::string name = {};        // distinguishes two instances of the callback; may be empty
  // Whether the plugin's library needs LibTorch's: then it can change the thread's modes by itself,
  // and all of them are compared around each of its calls.
  bool links_libtorch = true;
  std::filesystem::path origin_directory = {};  // where the user keeps the library; empty: nowhere
};

// Its EventHandlers are the plugin's handlers of user-defined events (Fabric), its logger is the
// plugin's metrics sink.
class PluginCallback final : public Callback, public EventHandlers, public LoggerSource {
 public:
  // Makes and initializes the instance. `callback` is one of the manifest's; `factory` must outlive
  // the object (libraries are never unloaded). ConfigError for invalid parameters, PluginError when
  // the plugin refuses or breaks the contract.
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
  // "<plugin id>/<callback>/<key>". key: the explicit name, or the instance's own key, or one made
  // of its identifying parameters, or "default", whichever exists first.
  std::string state_key() const override;
  // The same under the former ids of the plugin.
  std::vector<std::string> former_state_keys() const override;
  // {"version", "keep_if_absent": true, "state"}; empty: no state.
  StateDict state_dict() const override;
  // CheckpointError naming the plugin and both versions when the plugin refuses the state.
  void load_state_dict(const StateDict& state) override;
  bool gives_back_state() const override {
    return true;
  }
  HookMask wanted(const HookMask& overridden) const override;
  // Ends its leases and its factors on learning rates.
  void on_disabled() override;
  double learning_rate_factor(std::size_t optimizer_idx, std::size_t group) const override;

  std::shared_ptr<Logger> make_logger(Trainer& trainer) override;

  // What a hook has cost since the instance was made, estimated from the calls that were timed.
  struct HookTime {
    std::string_view hook;
    std::uint64_t calls = 0;
    double seconds = 0;
  };
  std::vector<HookTime> hook_times() const;

  // The hooks that the plugin has; the host itself may want more of them.
  HookMask hooks() const;

  const PluginSite& site() const;
  // Its parameters, with defaults filled in.
  const Parameters& parameters() const;

 private:
  friend class InstanceHost;
  void log_metric(Event& event, const std::string& name, const LogValue& value,
                  const LogOptions& options);

  std::string label_;
  std::filesystem::path origin_directory_;
  std::string state_key_;
  std::vector<std::string> former_state_keys_;
  std::unique_ptr<PluginInstance> instance_;
  std::vector<std::weak_ptr<PluginLogger>> loggers_;  // of each trainer
  void detach_loggers() noexcept;
};

}  // namespace grapnel::bridge
