// The base class of a plugin's callbacks: every hook of hooks.def as an empty virtual function.
// Only overridden hooks are ever called; they are found at compile time.
//
//   class Mine final : public grapnel::plugin::Callback {
//    public:
//     explicit Mine(const Params& params);              // or a default constructor
//     void on_train_batch_end(TrainBatchEnd& event) override;
//   };
//
// Their order is drawn above class Callback in core's <grapnel/callback.h>. A hook may throw: the
// host then fails the run, or disables the plugin, as the user chose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <grapnel/plugin/custom_event.hpp>
#include <grapnel/plugin/events.hpp>
#include <grapnel/plugin/state.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

class Callback {
 public:
  // Types by their short names for derived classes, which are in other namespaces.
  using Params = plugin::Params;
  using Services = plugin::Services;
  using StateWriter = plugin::StateWriter;
  using StateReader = plugin::StateReader;
  using Event = plugin::Event;
  using InitEvent = plugin::InitEvent;
  using StageEvent = plugin::StageEvent;
  using TrainBatchStart = plugin::TrainBatchStart;
  using TrainBatchEnd = plugin::TrainBatchEnd;
  using EvalBatchStart = plugin::EvalBatchStart;
  using EvalBatchEnd = plugin::EvalBatchEnd;
  using OptimizerEvent = plugin::OptimizerEvent;
  using BackwardEvent = plugin::BackwardEvent;
  using ExceptionEvent = plugin::ExceptionEvent;
  using SaveCheckpoint = plugin::SaveCheckpoint;
  using LoadCheckpoint = plugin::LoadCheckpoint;
  using CheckpointWritten = plugin::CheckpointWritten;
  using SignalEvent = plugin::SignalEvent;
  using RunEnd = plugin::RunEnd;
  using CustomEvent = plugin::CustomEvent;

  Callback() = default;
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;
  /// The host makes no more calls to this instance. End your own threads here.
  virtual ~Callback() = default;

  /// Once, before any hook. Throw to refuse; the exception's text is shown to the user.
  virtual void init(Services&) {}

#define GRAPNEL_HOOK(id, name, event, stage, module) \
  virtual void name(event&) {}
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK

  // State in checkpoints; see state.hpp. A class that overrides neither of the first two has none.
  virtual void save_state(StateWriter&) const {}
  virtual void load_state(const StateReader&) {}
  /// Distinguishes instances of one callback. Default: the host builds the key from the
  /// parameters that plugin.json marks as identifying.
  virtual std::string state_key() const {
    return {};
  }

  // For the wrapper.
  std::deque<detail::EventHandler>& event_handlers() {
    return event_handlers_;
  }

 protected:
  /// Handles a user-defined event with a member function of this class; see custom_event.hpp. In
  /// the constructor or in init. Throws Error when the numbers of names and arguments differ.
  template <class T, class R, class... A>
  void on(std::string event, R (T::*method)(A...),
          std::initializer_list<EventArgument> arguments = {}) {
    add_handler<T, A...>(std::move(event), method, arguments);
  }
  template <class T, class R, class... A>
  void on(std::string event, R (T::*method)(A...) const,
          std::initializer_list<EventArgument> arguments = {}) {
    add_handler<T, A...>(std::move(event), method, arguments);
  }

 private:
  template <class T, class... A, class Method>
  void add_handler(std::string event, Method method,
                   std::initializer_list<EventArgument> arguments) {
    std::vector<std::int32_t> types;
    (add_type<A>(types), ...);
    event_handlers_.emplace_back(
        std::move(event), arguments, types,
        [method](Callback& self, CustomEvent& custom, const grapnel_value* values) {
          detail::Context& context = custom.host_context();
          [[maybe_unused]] std::size_t next = 0;
          // Braces: read from left to right.
          auto taken =
              std::tuple<decltype(detail::take_argument<A>(custom, context, values, next))...>{
                  detail::take_argument<A>(custom, context, values, next)...};
          std::apply([&](auto&... each) { (static_cast<T&>(self).*method)(each...); }, taken);
        });
  }
  template <class A>
  static void add_type(std::vector<std::int32_t>& types) {
    if constexpr (!detail::is_custom_event<A>) {
      types.push_back(detail::EventType<detail::Plain<A>>::tag);
    }
  }

  std::deque<detail::EventHandler> event_handlers_;
};

namespace detail {

// Overrides_<hook><T>::value: T has its own version of the hook. Where the compiler cannot know,
// because the override is inaccessible or overloaded, it counts as overridden and is called as a
// virtual function.
#define GRAPNEL_PLUGIN_OVERRIDES(name, signature)                                 \
  template <class T, class = void>                                                \
  struct Overrides_##name {                                                       \
    static constexpr bool value = true;                                           \
    static constexpr bool accessible = false;                                     \
  };                                                                              \
  template <class T>                                                              \
  struct Overrides_##name<T, std::void_t<decltype(&T::name)>> {                   \
    static constexpr bool value = !std::is_same_v<decltype(&T::name), signature>; \
    static constexpr bool accessible = true;                                      \
  };
#define GRAPNEL_HOOK(id, name, event, stage, module) \
  GRAPNEL_PLUGIN_OVERRIDES(name, void (Callback::*)(event&))
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK
GRAPNEL_PLUGIN_OVERRIDES(save_state, void (Callback::*)(StateWriter&) const)
GRAPNEL_PLUGIN_OVERRIDES(load_state, void (Callback::*)(const StateReader&))
GRAPNEL_PLUGIN_OVERRIDES(state_key, std::string (Callback::*)() const)
#undef GRAPNEL_PLUGIN_OVERRIDES

}  // namespace detail
}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
