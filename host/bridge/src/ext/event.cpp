// Extension event: checks of a plugin's declarations, and conversion of arguments to the C ABI.
#include "event.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <grapnel/base/text.h>
#include <grapnel/copy_on_write.h>
#include <grapnel/host/instance_check.h>

#include "../instance_host.h"

namespace grapnel::bridge {
namespace {

constexpr std::uint64_t kMostNameBytes = 512;
constexpr std::uint32_t kMostArguments = 256;

// Calls f(std::type_identity<T>()) with the C++ type of an ABI type.
template <class F>
decltype(auto) with_type(std::int32_t type, F&& f) {
  switch (type) {
    case GRAPNEL_VALUE_TENSOR:
      return f(std::type_identity<at::Tensor>());
    case GRAPNEL_VALUE_TENSOR_LIST:
      return f(std::type_identity<std::vector<at::Tensor>>());
    case GRAPNEL_VALUE_I64:
      return f(std::type_identity<std::int64_t>());
    case GRAPNEL_VALUE_F64:
      return f(std::type_identity<double>());
    case GRAPNEL_VALUE_BOOL:
      return f(std::type_identity<bool>());
    case GRAPNEL_VALUE_STRING:
      return f(std::type_identity<std::string>());
    case GRAPNEL_VALUE_I64_LIST:
      return f(std::type_identity<std::vector<std::int64_t>>());
    default:
      return f(std::type_identity<std::vector<double>>());
  }
}

// The type of a value for an argument declared as any type; NONE: the ABI has none.
std::int32_t own_type(const EventValue& value) {
  if (value.is_object()) return GRAPNEL_VALUE_NONE;
  const StateValue& own = value.value();
  if (own.is_bool()) return GRAPNEL_VALUE_BOOL;
  if (own.is_int()) return GRAPNEL_VALUE_I64;
  if (own.is_double()) return GRAPNEL_VALUE_F64;
  if (own.is_string()) return GRAPNEL_VALUE_STRING;
  if (own.is_tensor()) return GRAPNEL_VALUE_TENSOR;
  if (!own.is_list()) return GRAPNEL_VALUE_NONE;
  const StateList& list = own.to_list();
  const auto all = [&](auto&& is) { return std::all_of(list.begin(), list.end(), is); };
  if (all([](const StateValue& item) { return item.is_int(); })) return GRAPNEL_VALUE_I64_LIST;
  if (all([](const StateValue& item) { return item.is_tensor(); })) {
    return GRAPNEL_VALUE_TENSOR_LIST;
  }
  return GRAPNEL_VALUE_F64_LIST;
}

std::string checked_name(grapnel_string text, const char* what) {
  const std::string_view name = checked_text(text, what);
  if (name.empty() || name.size() > kMostNameBytes) {
    throw ContractBreach{fmt::format("the {} is not 1 to {} bytes", what, kMostNameBytes)};
  }
  return std::string(name);
}

EventValue default_of(const grapnel_value& value, const std::string& name) {
  switch (value.tag) {
    case GRAPNEL_VALUE_NONE:
      return {};
    case GRAPNEL_VALUE_BOOL:
      return value.u.i64 != 0;
    case GRAPNEL_VALUE_I64:
      return value.u.i64;
    case GRAPNEL_VALUE_F64:
      return value.u.f64;
    case GRAPNEL_VALUE_STRING:
      return std::string(checked_text({value.u.string, value.size}, "default"));
    default:
      throw ContractBreach{fmt::format("the default of {} has the tag {}", quote(name), value.tag)};
  }
}

grapnel_value tagged_value(std::int32_t tag, std::uint64_t size = 0) {
  grapnel_value value{};
  value.tag = tag;
  value.size = size;
  return value;
}

bool may_be_nothing(const grapnel_event_argument& declared) {
  return declared.type == GRAPNEL_VALUE_NONE ||
         ((declared.flags & GRAPNEL_EVENT_HAS_DEFAULT) != 0 &&
          declared.default_value.tag == GRAPNEL_VALUE_NONE);
}

}  // namespace

DeclaredHandler read_event_handler(const grapnel_event_handler* handler, EventHandler& read) {
  if (handler == nullptr) throw ContractBreach{"a handler is NULL"};
  if (handler->struct_size < GRAPNEL_END_OF(grapnel_event_handler, call)) {
    throw ContractBreach{fmt::format("a handler of {} bytes", handler->struct_size)};
  }
  DeclaredHandler declared;
  declared.handler = handler;
  declared.call = handler->call;
  read.event = declared.event = checked_name(handler->event, "event's name");
  if (declared.call == nullptr) {
    throw ContractBreach{fmt::format("the handler of {} has no function", quote(read.event))};
  }
  const std::uint32_t count = handler->argument_count;
  const grapnel_event_argument* const* const arguments = handler->arguments;
  if (count > kMostArguments) {
    throw ContractBreach{fmt::format("the handler of {} has {} arguments, at most {} are accepted",
                                     quote(read.event), count, kMostArguments)};
  }
  if (count > 0 && arguments == nullptr) {
    throw ContractBreach{
        fmt::format("the handler of {} has argument_count {}, but arguments is NULL",
                    quote(read.event), count)};
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (arguments[i] == nullptr ||
        arguments[i]->struct_size < GRAPNEL_END_OF(grapnel_event_argument, default_value)) {
      throw ContractBreach{
          fmt::format("argument {} of {} is NULL or too short", i, quote(read.event))};
    }
    const grapnel_event_argument* const argument = arguments[i];
    EventParameter parameter(checked_name(argument->name, "argument's name"));
    const std::string whose = fmt::format("the argument {}", quote(parameter.name));
    if (argument->type < GRAPNEL_VALUE_NONE || argument->type > GRAPNEL_VALUE_F64_LIST) {
      throw ContractBreach{
          fmt::format("{} has the type {}, which this host doesn't know; update "
                      "grapnel",
                      whose, argument->type)};
    }
    for (const std::string& fault :
         {host::flags_fault(whose, argument->flags, GRAPNEL_EVENT_HAS_DEFAULT),
          host::reserved_fault(whose, static_cast<std::uint32_t>(argument->reserved)),
          host::reserved_fault(whose + "'s default",
                               static_cast<std::uint32_t>(argument->default_value.reserved))}) {
      if (!fault.empty()) throw ContractBreach{fault};
    }
    if ((argument->flags & GRAPNEL_EVENT_HAS_DEFAULT) != 0) {
      parameter.default_value = default_of(argument->default_value, parameter.name);
    }
    declared.arguments.push_back({parameter.name, argument->type, may_be_nothing(*argument)});
    read.parameters.push_back(std::move(parameter));
  }
  return declared;
}

EventValues::EventValues(InstanceHost& host, const DeclaredHandler& handler,
                         const BoundArguments& arguments)
    : host_(host) {
  values_.reserve(arguments.values.size());
  try {
    for (std::size_t i = 0; i < arguments.values.size(); ++i) {
      const DeclaredHandler::Argument& declared = handler.arguments[i];
      const EventValue& value = arguments.values[i];
      if (value.is_null() && declared.may_be_nothing) {
        values_.push_back(tagged_value(GRAPNEL_VALUE_NONE));
      } else {
        values_.push_back(convert(value, handler.event, declared));
      }
    }
  } catch (...) {
    end_borrows();
    throw;
  }
}

EventValues::~EventValues() {
  end_borrows();
}

void EventValues::end_borrows() noexcept {
  for (grapnel_tensor* tensor : borrowed_) host_.tensors.end_borrow(tensor);
}

grapnel_value EventValues::convert(const EventValue& value, std::string_view event,
                                   const DeclaredHandler::Argument& declared) {
  const bool any = declared.type == GRAPNEL_VALUE_NONE;
  const std::int32_t type = any ? own_type(value) : declared.type;
  std::string_view wanted = "a value that a plugin can take";
  if (type != GRAPNEL_VALUE_NONE) {
    const auto made = with_type(type, [&]<class T>(std::type_identity<T>) {
      if (!any) wanted = argument_words<T>;
      auto taken = argument_as<T>(value);
      return taken ? lend(*std::move(taken)) : std::nullopt;
    });
    if (made) return *made;
  }
  refuse_argument(event, declared.name, wanted, value);
}

std::optional<grapnel_value> EventValues::lend(bool value) {
  grapnel_value made = tagged_value(GRAPNEL_VALUE_BOOL);
  made.u.i64 = value ? 1 : 0;
  return made;
}
std::optional<grapnel_value> EventValues::lend(std::int64_t value) {
  grapnel_value made = tagged_value(GRAPNEL_VALUE_I64);
  made.u.i64 = value;
  return made;
}
std::optional<grapnel_value> EventValues::lend(double value) {
  grapnel_value made = tagged_value(GRAPNEL_VALUE_F64);
  made.u.f64 = value;
  return made;
}
std::optional<grapnel_value> EventValues::lend(std::string value) {
  if (!is_utf8(value)) return {};
  const std::string& text = texts_.emplace_back(std::move(value));
  grapnel_value made = tagged_value(GRAPNEL_VALUE_STRING, text.size());
  made.u.string = text.data();
  return made;
}
std::optional<grapnel_value> EventValues::lend(at::Tensor value) {
  if (!value.defined()) return {};
  grapnel_value made = tagged_value(GRAPNEL_VALUE_TENSOR);
  made.u.tensor = borrowed_.emplace_back(host_.tensors.borrow(detached_copy(value).tensor));
  return made;
}
std::optional<grapnel_value> EventValues::lend(std::vector<std::int64_t> values) {
  grapnel_value made = tagged_value(GRAPNEL_VALUE_I64_LIST, values.size());
  made.u.i64s = integers_.emplace_back(std::move(values)).data();
  return made;
}
std::optional<grapnel_value> EventValues::lend(std::vector<double> values) {
  grapnel_value made = tagged_value(GRAPNEL_VALUE_F64_LIST, values.size());
  made.u.f64s = numbers_.emplace_back(std::move(values)).data();
  return made;
}
std::optional<grapnel_value> EventValues::lend(std::vector<at::Tensor> values) {
  std::vector<grapnel_tensor*>& tensors = tensors_.emplace_back();
  for (at::Tensor& each : values) {
    const auto made = lend(std::move(each));
    if (!made) return {};
    tensors.push_back(made->u.tensor);
  }
  grapnel_value made = tagged_value(GRAPNEL_VALUE_TENSOR_LIST, tensors.size());
  made.u.tensors = tensors.data();
  return made;
}

}  // namespace grapnel::bridge
