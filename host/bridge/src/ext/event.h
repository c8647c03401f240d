// Extension event: converts the handlers that a plugin declares to core's EventHandler, and the
// arguments of a call to the ABI's values.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/event_handlers.h>
#include <grapnel/ext/event.h>

namespace grapnel::bridge {

class InstanceHost;

// A handler as it was declared: the plugin's memory may say something else later.
struct DeclaredHandler {
  struct Argument {
    std::string name;
    std::int32_t type = GRAPNEL_VALUE_NONE;
    bool may_be_nothing = false;
  };
  const grapnel_event_handler* handler = nullptr;  // what its function is given
  decltype(grapnel_event_handler::call) call = nullptr;
  std::string event;
  std::vector<Argument> arguments;
};

// Copies a declaration, and the name and parameters of the handler, without `call`. ContractBreach
// when it is invalid.
DeclaredHandler read_event_handler(const grapnel_event_handler* handler, EventHandler& read);

// Values for one call, with their borrowed tensors.
class EventValues {
 public:
  // ArgumentError naming the argument that has another type.
  EventValues(InstanceHost& host, const DeclaredHandler& handler, const BoundArguments& arguments);
  ~EventValues();
  EventValues(const EventValues&) = delete;
  EventValues& operator=(const EventValues&) = delete;

  const grapnel_value* data() const noexcept { return values_.data(); }

 private:
  grapnel_value convert(const EventValue& value, std::string_view event,
                        const DeclaredHandler::Argument& declared);
  // As the ABI's value; empty if the ABI has none (invalid UTF-8, an undefined tensor).
  std::optional<grapnel_value> lend(bool value);
  std::optional<grapnel_value> lend(std::int64_t value);
  std::optional<grapnel_value> lend(double value);
  std::optional<grapnel_value> lend(std::string value);
  std::optional<grapnel_value> lend(at::Tensor value);
  std::optional<grapnel_value> lend(std::vector<std::int64_t> values);
  std::optional<grapnel_value> lend(std::vector<double> values);
  std::optional<grapnel_value> lend(std::vector<at::Tensor> values);
  void end_borrows() noexcept;

  InstanceHost& host_;
  std::vector<grapnel_value> values_;
  std::vector<grapnel_tensor*> borrowed_;
  // Memory that values_ points to.
  std::deque<std::string> texts_;
  std::deque<std::vector<std::int64_t>> integers_;
  std::deque<std::vector<double>> numbers_;
  std::deque<std::vector<grapnel_tensor*>> tensors_;
};

}  // namespace grapnel::bridge
