// Handlers of user-defined events: functions that a loop of your own calls by name (fabric.h).
//
//   class IterationTimer : public EventHandlers {
//    public:
//     IterationTimer() {
//       on("on_iteration_end", &IterationTimer::end, {"iteration", {"unit", "s"}});
//     }
//     void end(int64_t iteration, const std::string& unit) { ... }
//   };
//
// A handler names its arguments; {"unit", "s"} has a default. Their types are the function's:
//
//   double, float           a number, or a tensor with one element (waits for its device)
//   int64_t, int            an integer, or an integer tensor with one element
//   bool, std::string, at::Tensor, StateList, StateDict
//   std::vector<T>          a list of numbers, integers or tensors
//   std::optional<T>        empty when the argument is null
//   EventValue              any value
//   T&                      an object that the caller passed by std::ref, of exactly this class
//   CustomEvent&            first: the event itself
//   const EventArguments&   last: all arguments that the others don't take
//
// A class that is also a Callback derives from both. Arguments of a call that a handler doesn't
// name are dropped; an argument that it names and the call lacks is an ArgumentError.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "grapnel/event_arguments.h"
#include "grapnel/events.h"
#include "grapnel/export.h"

namespace grapnel {

// A user-defined event; log() works with it as with any Event.
struct CustomEvent : Event {
  std::string_view name;
};

struct EventParameter {
  EventParameter(const char* parameter) : name(parameter) {}
  EventParameter(std::string parameter) : name(std::move(parameter)) {}
  EventParameter(std::string parameter, EventValue value)
      : name(std::move(parameter)), default_value(std::move(value)) {}

  std::string name;
  std::optional<EventValue> default_value = {};  // unset: it has to be given
  bool by_name_only = false;
};

// The arguments of a call, matched to one handler's parameters.
struct BoundArguments {
  std::vector<EventValue> values;  // one per parameter
  EventArguments rest;             // the others, if the handler takes them
};

struct EventHandler {
  std::string event;
  std::vector<EventParameter> parameters = {};
  bool takes_more_positional = false;  // Python's *args
  bool takes_more_named = false;       // Python's **kwargs
  // Empty: Fabric skips it with a warning.
  std::function<void(CustomEvent&, const BoundArguments&)> call = {};
};

// Matches arguments to a handler's parameters. ArgumentError when an argument is missing or given
// twice, or there are too many positional ones. owner: the handler's object, for messages.
GRAPNEL_CORE_API BoundArguments bind_arguments(const EventHandler& handler,
                                               const std::string& owner,
                                               const EventArguments& arguments);

// Throws ArgumentError naming event, argument and both types.
[[noreturn]] GRAPNEL_CORE_API void refuse_argument(std::string_view event, std::string_view name,
                                                   std::string_view wanted,
                                                   const EventValue& found);

class GRAPNEL_CORE_API EventHandlers {
 public:
  EventHandlers() = default;
  virtual ~EventHandlers();
  EventHandlers(const EventHandlers&) = delete;  // handlers point to their own object
  EventHandlers& operator=(const EventHandlers&) = delete;

  // A member function of a derived class. ConfigError unless each argument of the function is
  // named. A second handler of the same event replaces the first.
  template <class T, class R, class... A>
  void on(std::string event, R (T::*method)(A...),
          std::initializer_list<EventParameter> parameters = {});
  template <class T, class R, class... A>
  void on(std::string event, R (T::*method)(A...) const,
          std::initializer_list<EventParameter> parameters = {});
  // A lambda, a std::function. Fabric skips an empty std::function with a warning.
  template <class F>
  requires(!std::is_member_function_pointer_v<F>) void on(
      std::string event, F function, std::initializer_list<EventParameter> parameters = {});

  // For handlers whose parameters are only known at run time.
  void add_handler(EventHandler handler);

  const std::vector<EventHandler>& handlers() const { return handlers_; }
  // nullptr: none.
  const EventHandler* find_handler(std::string_view event) const;
  // For messages; default: the name of the class.
  virtual std::string owner_name() const;

 private:
  std::vector<EventHandler> handlers_;
};

// ---- From a function's argument types to how they are taken

namespace event_detail {

template <class A>
using Plain = std::remove_cvref_t<A>;
template <class A>
constexpr bool is_event = std::is_same_v<A, CustomEvent&> ||
                          std::is_same_v<A, const CustomEvent&> || std::is_same_v<A, Event&>;
template <class A>
constexpr bool is_rest = std::is_same_v<A, const EventArguments&>;
// Types that are taken by value; references to anything else are objects of the caller's.
template <class A>
constexpr bool is_value = std::is_same_v<Plain<A>, std::string_view> || is_argument_type<Plain<A>>;
template <class A>
constexpr bool is_parameter = !is_event<A> && !is_rest<A>;

// What is kept of an argument while the function runs.
template <class A>
using Kept = std::conditional_t<
    !is_value<A>, A,
    std::conditional_t<std::is_same_v<Plain<A>, std::string_view>, std::string, Plain<A>>>;

template <class A>
Kept<A> take(CustomEvent& event, const std::vector<EventParameter>& parameters,
             const BoundArguments& bound, size_t& next) {
  if constexpr (is_event<A>) {
    return event;
  } else if constexpr (is_rest<A>) {
    return bound.rest;
  } else {
    const size_t index = next++;
    const EventValue& value = bound.values[index];
    if constexpr (is_value<A>) {
      auto taken = argument_as<Kept<A>>(value);
      if (!taken) {
        refuse_argument(event.name, parameters[index].name, argument_words<Kept<A>>, value);
      }
      return *std::move(taken);
    } else {
      static_assert(std::is_lvalue_reference_v<A>,
                    "a handler takes objects of the caller's by reference");
      auto* object = value.object<std::remove_reference_t<A>>();
      if (object == nullptr) {
        refuse_argument(event.name, parameters[index].name,
                        "an object of the handler's class, passed by std::ref", value);
      }
      return *object;
    }
  }
}

GRAPNEL_CORE_API void check_parameter_count(const std::string& event, size_t named, size_t taken);

template <class... A, class F>
EventHandler make_handler(std::string event, F function,
                          std::initializer_list<EventParameter> parameters) {
  check_parameter_count(event, parameters.size(), (size_t{0} + ... + size_t{is_parameter<A>}));
  EventHandler handler;
  handler.event = std::move(event);
  handler.parameters = parameters;
  handler.takes_more_positional = (false || ... || is_rest<A>);
  handler.takes_more_named = handler.takes_more_positional;
  if constexpr (requires { function == nullptr; }) {
    if (function == nullptr) return handler;
  }
  handler.call = [function = std::move(function), named = handler.parameters](
                     CustomEvent& custom, const BoundArguments& bound) mutable {
    [[maybe_unused]] size_t next = 0;
    // Braces: taken from left to right.
    std::tuple<Kept<A>...> kept{take<A>(custom, named, bound, next)...};
    std::apply([&](auto&... each) { function(each...); }, kept);
  };
  return handler;
}

template <class R, class T, class... A, class F>
EventHandler make_from_call(R (T::*)(A...), std::string event, F function,
                            std::initializer_list<EventParameter> parameters) {
  return make_handler<A...>(std::move(event), std::move(function), parameters);
}
template <class R, class T, class... A, class F>
EventHandler make_from_call(R (T::*)(A...) const, std::string event, F function,
                            std::initializer_list<EventParameter> parameters) {
  return make_handler<A...>(std::move(event), std::move(function), parameters);
}

}  // namespace event_detail

template <class T, class R, class... A>
void EventHandlers::on(std::string event, R (T::*method)(A...),
                       std::initializer_list<EventParameter> parameters) {
  T* self = static_cast<T*>(this);
  add_handler(event_detail::make_handler<A...>(
      std::move(event), [self, method](auto&... each) { (self->*method)(each...); }, parameters));
}

template <class T, class R, class... A>
void EventHandlers::on(std::string event, R (T::*method)(A...) const,
                       std::initializer_list<EventParameter> parameters) {
  const T* self = static_cast<const T*>(this);
  add_handler(event_detail::make_handler<A...>(
      std::move(event), [self, method](auto&... each) { (self->*method)(each...); }, parameters));
}

template <class F>
requires(!std::is_member_function_pointer_v<F>) void EventHandlers::on(
    std::string event, F function, std::initializer_list<EventParameter> parameters) {
  add_handler(event_detail::make_from_call(&F::operator(), std::move(event), std::move(function),
                                           parameters));
}

}  // namespace grapnel
