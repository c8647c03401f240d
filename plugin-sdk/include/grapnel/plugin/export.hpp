// From classes to the one symbol that a plugin exports.
//
//   GRAPNEL_PLUGIN(grapnel::plugin::callback<A>("a"), grapnel::plugin::callback<B>("b"))
//
// once, at namespace scope; the names are those of plugin.json. This file connects
// the host's C calls to the class: tables of constants, and functions that let no exception out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <grapnel/note.h>
#include <grapnel/plugin/callback.hpp>
#include <grapnel/plugin/metrics_sink.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {
namespace detail {

/// A callback and its ABI structs. The context outlives the callback's tensors.
template <class T>
struct Instance {
  explicit Instance(const grapnel_host* host) : context(host), callback(make(context)) {}

  static Instance& of(grapnel_instance* abi) { return *static_cast<Instance*>(abi->self); }
  Callback& base() { return callback; }
  const Callback& base() const { return callback; }

  static T make(Context& context) {
    if constexpr (std::is_constructible_v<T, const Params&>) {
      return T(Params(context));
    } else {
      static_assert(std::is_default_constructible_v<T>,
                    "a callback is constructed from const Params&, or from nothing");
      return T();
    }
  }

  grapnel_instance abi{};
  Context context;
  T callback;
  std::string state_key;  // lives until destroy, as the host may keep it
};

// ---- Hooks

#define GRAPNEL_HOOK(id, name, event, stage, module)                               \
  template <class T>                                                               \
  std::int32_t GRAPNEL_CALL call_##name(grapnel_instance* abi,                     \
                                        const grapnel_Event* raw) noexcept {       \
    Instance<T>& instance = Instance<T>::of(abi);                                  \
    try {                                                                          \
      event argument(instance.context, reinterpret_cast<const event::Abi&>(*raw)); \
      if constexpr (Overrides_##name<T>::accessible) {                             \
        instance.callback.T::name(argument);                                       \
      } else {                                                                     \
        instance.base().name(argument);                                            \
      }                                                                            \
      return GRAPNEL_OK;                                                           \
    } catch (...) {                                                                \
      return caught(instance.context.host());                                      \
    }                                                                              \
  }
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK

template <class T>
constexpr std::size_t hook_count() {
  std::size_t count = 0;
#define GRAPNEL_HOOK(id, name, event, stage, module) count += Overrides_##name<T>::value ? 1 : 0;
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK
  return count;
}

/// A class may mark hooks as optional, for hosts that don't know them:
///   static constexpr std::uint32_t optional_hooks[] = {GRAPNEL_HOOK_on_signal};
template <class T, class = void>
struct OptionalHooks {
  static constexpr bool contains(std::uint32_t) { return false; }
};
template <class T>
struct OptionalHooks<T, std::void_t<decltype(T::optional_hooks)>> {
  static constexpr bool contains(std::uint32_t hook) {
    for (const std::uint32_t optional : T::optional_hooks) {
      if (optional == hook) return true;
    }
    return false;
  }
};

template <class T>
constexpr std::array<grapnel_hook_entry, hook_count<T>()> make_hooks() {
  std::array<grapnel_hook_entry, hook_count<T>()> hooks{};
  [[maybe_unused]] std::size_t next = 0;
#define GRAPNEL_HOOK(id, name, event, stage, module)                                 \
  if constexpr (Overrides_##name<T>::value) {                                        \
    hooks[next++] = {sizeof(grapnel_hook_entry), id,                                 \
                     OptionalHooks<T>::contains(id) ? GRAPNEL_HOOK_OPTIONAL : 0u, 0, \
                     &call_##name<T>};                                               \
  }
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK
  return hooks;
}

// ---- State

template <class T>
std::int32_t GRAPNEL_CALL state_key(grapnel_instance* abi, grapnel_string* key) noexcept {
  Instance<T>& instance = Instance<T>::of(abi);
  try {
    instance.state_key = instance.base().state_key();
    *key = to_abi(instance.state_key);
    return GRAPNEL_OK;
  } catch (...) {
    return caught(instance.context.host());
  }
}

template <class T>
std::int32_t GRAPNEL_CALL save_state(grapnel_instance* abi,
                                     const grapnel_state_writer* writer) noexcept {
  Instance<T>& instance = Instance<T>::of(abi);
  try {
    StateWriter state(*writer);
    instance.base().save_state(state);
    return GRAPNEL_OK;
  } catch (...) {
    return caught(instance.context.host());
  }
}

template <class T>
std::int32_t GRAPNEL_CALL load_state(grapnel_instance* abi,
                                     const grapnel_state_reader* reader) noexcept {
  Instance<T>& instance = Instance<T>::of(abi);
  try {
    instance.base().load_state(StateReader(instance.context, *reader));
    return GRAPNEL_OK;
  } catch (...) {
    return caught(instance.context.host());
  }
}

// ---- A metrics sink

template <class T, class F>
std::int32_t call_sink(grapnel_instance* abi, F&& function) noexcept {
  Instance<T>& instance = Instance<T>::of(abi);
  try {
    Services services(instance.context);
    function(static_cast<MetricsSink&>(instance.callback), services);
    return GRAPNEL_OK;
  } catch (...) {
    return caught(instance.context.host());
  }
}

template <class T>
std::int32_t GRAPNEL_CALL begin_metrics(grapnel_instance* abi) noexcept {
  return call_sink<T>(abi,
                      [](MetricsSink& sink, Services& services) { sink.begin_metrics(services); });
}

template <class T>
std::int32_t GRAPNEL_CALL write_hyperparameters(grapnel_instance* abi,
                                                const grapnel_hyperparameter* const* parameters,
                                                std::uint64_t count) noexcept {
  return call_sink<T>(abi, [&](MetricsSink& sink, Services& services) {
    sink.write_hyperparameters(services, {parameters, count});
  });
}

template <class T>
std::int32_t GRAPNEL_CALL write_metrics(grapnel_instance* abi,
                                        const grapnel_metric_record* const* records,
                                        std::uint64_t count) noexcept {
  return call_sink<T>(abi, [&](MetricsSink& sink, Services& services) {
    sink.write_metrics(services, {records, count});
  });
}

template <class T>
std::int32_t GRAPNEL_CALL end_metrics(grapnel_instance* abi, std::int32_t outcome,
                                      grapnel_string reason) noexcept {
  return call_sink<T>(abi, [&](MetricsSink& sink, Services& services) {
    sink.end_metrics(services, static_cast<Outcome>(outcome), from_abi(reason));
  });
}

/// The table of a class that is a MetricsSink.
template <class T>
inline constexpr grapnel_metrics_sink metrics_sink_table{sizeof(grapnel_metrics_sink),
                                                         0,
                                                         &begin_metrics<T>,
                                                         &write_hyperparameters<T>,
                                                         &write_metrics<T>,
                                                         &end_metrics<T>};

// ---- User-defined events

template <class T>
std::int32_t GRAPNEL_CALL call_event(grapnel_instance* abi, const grapnel_event_handler* handler,
                                     const grapnel_value* values) noexcept {
  Instance<T>& instance = Instance<T>::of(abi);
  try {
    EventHandler::of(handler).call(instance.base(), instance.context, values);
    return GRAPNEL_OK;
  } catch (...) {
    return caught(instance.context.host());
  }
}

template <class T>
std::int32_t GRAPNEL_CALL event_count(grapnel_instance* abi, std::uint64_t* count) noexcept {
  *count = Instance<T>::of(abi).base().event_handlers().size();
  return GRAPNEL_OK;
}

template <class T>
std::int32_t GRAPNEL_CALL event_handler(grapnel_instance* abi, std::uint64_t index,
                                        const grapnel_event_handler** handler) noexcept {
  auto& handlers = Instance<T>::of(abi).base().event_handlers();
  if (index >= handlers.size()) return GRAPNEL_NOT_FOUND;
  *handler = handlers[static_cast<std::size_t>(index)].abi(&call_event<T>);
  return GRAPNEL_OK;
}

// ---- Tables of constants, one of each per callback

template <class T, std::size_t N>
constexpr std::array<const T*, N> pointers_to(const std::array<T, N>& objects) {
  std::array<const T*, N> pointers{};
  for (std::size_t i = 0; i < N; ++i) pointers[i] = &objects[i];
  return pointers;
}

template <class T>
struct Tables {
  static constexpr auto hooks = make_hooks<T>();
  static constexpr auto hook_pointers = pointers_to(hooks);
  static constexpr grapnel_state state{
      sizeof(grapnel_state), 0, Overrides_state_key<T>::value ? &detail::state_key<T> : nullptr,
      &save_state<T>, &load_state<T>};
  static constexpr grapnel_event_handlers events{sizeof(grapnel_event_handlers), 0, &event_count<T>,
                                                 &event_handler<T>};
  static constexpr bool has_state =
      Overrides_save_state<T>::value || Overrides_load_state<T>::value;
};

// ---- Life of an instance

template <class T>
std::int32_t GRAPNEL_CALL init(grapnel_instance* abi, const grapnel_host*) noexcept {
  Instance<T>& instance = Instance<T>::of(abi);
  try {
    Services services(instance.context);
    instance.base().init(services);
    return GRAPNEL_OK;
  } catch (...) {
    return caught(instance.context.host());
  }
}

template <class T>
std::int32_t GRAPNEL_CALL destroy(grapnel_instance* abi) noexcept {
  delete &Instance<T>::of(abi);
  return GRAPNEL_OK;
}

template <class T>
std::int32_t GRAPNEL_CALL get_extension(grapnel_instance* abi, grapnel_string id,
                                        const void** table) noexcept {
  if (Tables<T>::has_state && from_abi(id) == GRAPNEL_EXT_STATE) {
    *table = &Tables<T>::state;
    return GRAPNEL_OK;
  }
  if constexpr (std::is_base_of_v<MetricsSink, T>) {
    if (from_abi(id) == GRAPNEL_EXT_METRICS_SINK) {
      *table = &metrics_sink_table<T>;
      return GRAPNEL_OK;
    }
  }
  if (from_abi(id) == GRAPNEL_EXT_EVENT && !Instance<T>::of(abi).base().event_handlers().empty()) {
    *table = &Tables<T>::events;
    return GRAPNEL_OK;
  }
  return GRAPNEL_NOT_FOUND;
}

template <class T>
std::int32_t GRAPNEL_CALL create(const grapnel_factory*, const grapnel_host* host,
                                 grapnel_instance** out) noexcept {
  try {
    auto* instance = new Instance<T>(host);
    instance->abi.struct_size = sizeof(grapnel_instance);
    instance->abi.hook_count = static_cast<std::uint32_t>(Tables<T>::hook_pointers.size());
    instance->abi.hooks = Tables<T>::hook_pointers.data();
    instance->abi.self = instance;
    instance->abi.init = &init<T>;
    instance->abi.destroy = &destroy<T>;
    instance->abi.get_extension = &get_extension<T>;
    *out = &instance->abi;
    return GRAPNEL_OK;
  } catch (...) {
    return caught(host);
  }
}

template <class... Factory>
constexpr std::array<grapnel_factory, sizeof...(Factory)> factories(Factory... each) {
  return {{each...}};
}

}  // namespace detail

/// Callback T under its name in plugin.json, for GRAPNEL_PLUGIN. name: a literal.
template <class T>
constexpr grapnel_factory callback(std::string_view name) {
  static_assert(std::is_base_of_v<Callback, T>, "T derives from grapnel::plugin::Callback");
  return {sizeof(grapnel_factory), 0, {name.data(), name.size()}, &detail::create<T>};
}

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin

#define GRAPNEL_PLUGIN(...)                                                                    \
  namespace {                                                                                  \
  constexpr auto grapnel_plugin_factories = ::grapnel::plugin::detail::factories(__VA_ARGS__); \
  constexpr auto grapnel_plugin_factory_pointers =                                             \
      ::grapnel::plugin::detail::pointers_to(grapnel_plugin_factories);                        \
  }                                                                                            \
  extern "C" GRAPNEL_PLUGIN_EXPORT constexpr grapnel_plugin GRAPNEL_PLUGIN_SYMBOL = {          \
      sizeof(grapnel_plugin),                                                                  \
      GRAPNEL_ABI_TARGET,                                                                      \
      grapnel_plugin_factories.size(),                                                         \
      grapnel_plugin_factory_pointers.data(),                                                  \
      GRAPNEL_MANIFEST,                                                                        \
      nullptr};
