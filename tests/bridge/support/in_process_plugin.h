// A plugin inside of the test program, written as lambdas against the raw C ABI: what it does in each
// hook, in init, save and load. It reaches the host only through grapnel_host, as any plugin does.
//
//   InProcessPlugin plugin;
//   plugin.on(Hook::setup, [](const Caller& caller, const grapnel_Event* event) {
//     return caller.table<grapnel_log>(GRAPNEL_EXT_LOG).write(...);
//   });
//   toy.fit({plugin.handle()});
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/ext/layout.h>

namespace grapnel::test {

inline grapnel_string text(std::string_view value) {
  return {value.data(), value.size()};
}
inline std::string text(grapnel_string value) {
  return {value.data, value.size};
}

// The host as the plugin sees it.
struct Caller {
  const grapnel_host* host = nullptr;

  // Throws std::runtime_error when the host doesn't offer it.
  template <class Table>
  const Table& table(const char* id) const {
    return *static_cast<const Table*>(find(id));
  }
  std::int32_t fail(std::string_view reason) const { return host->fail(host, text(reason)); }

  const grapnel_tensors& tensors() const { return table<grapnel_tensors>(GRAPNEL_EXT_TENSORS); }
  const grapnel_module& module() const { return table<grapnel_module>(GRAPNEL_EXT_MODULE); }
  const grapnel_aten& aten() const { return table<grapnel_aten>(GRAPNEL_EXT_ATEN); }

  // Throw std::runtime_error when there is none.
  const grapnel_module_entry& entry(std::int32_t kind, std::uint64_t index) const;
  const grapnel_tensor_info& describe(const grapnel_tensor* tensor) const;
  const grapnel_trainer_state& trainer_state() const;
  const grapnel_optimizer_group& optimizer_group(std::uint64_t optimizer,
                                                 std::uint64_t index) const;

  // All elements as doubles; the tensor must be of floats or doubles or integers.
  std::vector<double> values(const grapnel_tensor* tensor) const;
  // A new float32 tensor of one dimension.
  grapnel_tensor* floats(const std::vector<float>& values) const;
  // Calls an operator and returns its status; results as many as the vector has.
  std::int32_t call(const char* name, const char* overload,
                    const std::vector<grapnel_value>& arguments,
                    std::vector<grapnel_value>& results) const;

 private:
  const void* find(const char* id) const;
};

grapnel_value value_of(grapnel_tensor* tensor);
grapnel_value value_of(std::int64_t number);
grapnel_value value_of(double number);
grapnel_value value_of(bool flag);
grapnel_value value_of(std::string_view text);
grapnel_value value_of(const char* text);  // which would be taken for a bool
grapnel_value none();
// GRAPNEL_VALUE_DTYPE and the like.
grapnel_value enumerated(std::int32_t tag, std::int64_t number);
grapnel_value device(std::string_view name);

class InProcessPlugin {
 public:
  using HookFunction = std::function<std::int32_t(const Caller&, const grapnel_Event*)>;
  using LifeFunction = std::function<std::int32_t(const Caller&)>;

  // parameters: the "parameters" object of the manifest's only callback, "probe" of plugin "probe".
  // id: of the plugin, which was "probe" once when it isn't now.
  explicit InProcessPlugin(const std::string& parameters = "{}",
                           const std::string& version = "1.2.3", const std::string& id = "probe");
  // Every instance must be gone: declare the plugin before the trainer that it runs in.
  ~InProcessPlugin();

  void on(Hook hook, HookFunction function) {
    hooks[static_cast<std::uint32_t>(hook)] = std::move(function);
  }

  std::map<std::uint32_t, HookFunction> hooks;
  std::uint32_t hook_flags = 0;
  std::uint32_t hook_reserved = 0;  // of each entry
  LifeFunction create;              // before the instance is made
  LifeFunction init;
  LifeFunction destroy;
  std::function<std::int32_t(const Caller&, const grapnel_state_writer*)> save;
  std::function<std::int32_t(const Caller&, const grapnel_state_reader*)> load;
  std::string key;  // of the state; empty: the default
  // The plugin's side of any other extension, by its id; NULL for none.
  std::function<const void*(std::string_view id)> extension;

  int created = 0;
  int destroyed = 0;

  std::shared_ptr<bridge::PluginCallback> make(const bridge::PluginCallbackOptions& options = {});
  CallbackHandle handle(const bridge::PluginCallbackOptions& options = {});
  const host::Manifest& manifest() const { return manifest_; }
  // For functions of such an extension.
  static const Caller& caller_of(grapnel_instance* instance);

 private:
  struct Instance;
  struct Factory;
  host::Manifest manifest_;
  std::unique_ptr<Factory> factory_;
};

}  // namespace grapnel::test
