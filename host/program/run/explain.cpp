#include "explain.h"

#include <fmt/format.h>

#include <vector>

#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/dispatcher.h>

#include "unmet_orders.h"

namespace grapnel::program {
namespace {

std::string label_of(const Callback& callback) {
  return callback.name().empty() ? callback.type_name() : callback.name();
}

std::string origin_of(const CallbackHandle& handle) {
  switch (handle.origin) {
    case CallbackOrigin::user:
      return "run.json";
    case CallbackOrigin::trainer_default:
      return "default";
    case CallbackOrigin::plugin:
      return "plugin";
    case CallbackOrigin::module:
      return "module";
  }
  return "";
}

// Why a callback is at its position: "enabled, after 'nan_guard'", "last: writes checkpoints".
std::string reason_of(const Session& session, const CallbackHandle& handle) {
  if (handle.callback->place() == Callback::Place::checkpoint) return "last: writes checkpoints";
  if (handle.callback->place() == Callback::Place::tuner) return "first: tunes";
  const auto* plugin = dynamic_cast<const bridge::PluginCallback*>(handle.callback.get());
  if (plugin == nullptr) return "";
  for (const host::SelectedPlugin& selected : session.selection().plugins) {
    if (selected.manifest->id != plugin->site().plugin) continue;
    std::string reason = selected.reason;
    if (!selected.order_reason.empty()) reason += ", " + selected.order_reason;
    for (const UnmetOrder& unmet :
         unmet_orders(session.trainer().callbacks(), session.selection())) {
      if (unmet.plugin == selected.manifest->id) reason += "; it " + unmet.text;
    }
    return reason;
  }
  return "";
}

// The same, with its filter.
std::string why_there(const Session& session, const CallbackHandle& handle) {
  const std::string reason = reason_of(session, handle);
  if (!handle.filter) return reason;
  return reason + (reason.empty() ? "called " : "; called ") + to_string(*handle.filter);
}

// Whether the callback does something in a hook; the host may want another of a plugin for itself.
bool has_hook(const Callback& callback, Hook hook) {
  const auto* plugin = dynamic_cast<const bridge::PluginCallback*>(&callback);
  return plugin == nullptr || plugin->hooks().test(hook);
}

// The callbacks that get a hook, and the module if it overrides the hook.
std::vector<std::string> receivers_of(const Session& session, Hook hook) {
  std::vector<std::string> names;
  const bool in_module = session.model().mask.has(hook);
  bool module_named = !in_module;
  for (const Dispatcher::Receiver& receiver : session.trainer().dispatcher().receivers(hook)) {
    if (!has_hook(*receiver.callback, hook)) continue;
    // At the end of a training epoch, those that monitor a metric come after the module.
    if (hook == Hook::on_train_epoch_end && receiver.callback->monitors() && !module_named) {
      names.push_back("module");
      module_named = true;
    }
    names.push_back(printable(label_of(*receiver.callback)));
  }
  if (!module_named) names.push_back("module");
  return names;
}

std::vector<std::string> hooks_of(const CallbackHandle& handle) {
  std::vector<std::string> names;
  const HookMask wanted = handle.callback->wanted(handle.overridden);
  for (std::size_t hook = 0; hook < kHookCount; ++hook) {
    const bool is_called = wanted.test(hook) && handle.overridden.test(hook);
    if (is_called && has_hook(*handle.callback, static_cast<Hook>(hook))) {
      names.emplace_back(kHookNames[hook]);
    }
  }
  return names;
}

}  // namespace

std::string explain_text(const Session& session) {
  TextTable callbacks({"", "callback", "origin", "source", "reason"});
  std::size_t number = 0;
  for (const CallbackHandle& handle : session.trainer().callbacks()) {
    callbacks.add({std::to_string(++number), printable(label_of(*handle.callback)),
                   origin_of(handle), printable(handle.source),
                   printable(why_there(session, handle))});
  }
  TextTable hooks({"hook", "called, in this order"});
  for (std::size_t hook = 0; hook < kHookCount; ++hook) {
    const auto names = receivers_of(session, static_cast<Hook>(hook));
    if (!names.empty()) hooks.add({std::string(kHookNames[hook]), join(names)});
  }
  return callbacks.to_text(0) + "\n" + hooks.to_text(0);
}

ConfigValue explain_json(const Session& session) {
  ConfigValue callbacks = ConfigValue::array();
  for (const CallbackHandle& handle : session.trainer().callbacks()) {
    ConfigValue entry = ConfigValue::object();
    entry.set("name", label_of(*handle.callback));
    entry.set("type", handle.callback->type_name());
    entry.set("origin", origin_of(handle));
    entry.set("source", handle.source);
    entry.set("reason", reason_of(session, handle));
    if (handle.filter) entry.set("called", to_string(*handle.filter));
    entry.set("state_key", handle.callback->state_key());
    entry.set("hooks", hooks_of(handle));
    callbacks.append(std::move(entry));
  }
  ConfigValue hooks = ConfigValue::object();
  for (std::size_t hook = 0; hook < kHookCount; ++hook) {
    auto names = receivers_of(session, static_cast<Hook>(hook));
    if (!names.empty()) hooks.set(kHookNames[hook], names);
  }
  ConfigValue plan = ConfigValue::object();
  plan.set("callbacks", std::move(callbacks));
  plan.set("hooks", std::move(hooks));
  return plan;
}

}  // namespace grapnel::program
