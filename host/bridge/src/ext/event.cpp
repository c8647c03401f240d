// Extension event: what a plugin may declare, and the types of the C ABI.
#include "event.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <grapnel/base/text.h>

#include "../instance_host.h"

namespace grapnel::bridge {
namespace {

constexpr std::uint64_t kMostNameBytes = 512;

// The value has no such type.
struct WrongType {};

std::string_view wanted_of(std::int32_t type) {
  switch (type) {
    case GRAPNEL_VALUE_TENSOR:
      return "a tensor";
    case GRAPNEL_VALUE_TENSOR_LIST:
      return "a list of tensors";
    case GRAPNEL_VALUE_I64:
      return "an integer";
    case GRAPNEL_VALUE_F64:
      return "a number";
    case GRAPNEL_VALUE_BOOL:
      return "true or false";
    case GRAPNEL_VALUE_STRING:
      return "a string";
    case GRAPNEL_VALUE_I64_LIST:
      return "a list of integers";
    case GRAPNEL_VALUE_F64_LIST:
      return "a list of numbers";
    default:
      return "a value that a plugin can take";
  }
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

// What an argument of any type becomes by itself.
std::int32_t own_type(const StateValue& value) {
  if (value.is_bool()) return GRAPNEL_VALUE_BOOL;
  if (value.is_int()) return GRAPNEL_VALUE_I64;
  if (value.is_double()) return GRAPNEL_VALUE_F64;
  if (value.is_string()) return GRAPNEL_VALUE_STRING;
  if (value.is_tensor()) return GRAPNEL_VALUE_TENSOR;
  if (!value.is_list()) throw WrongType{};
  const StateList& list = value.to_list();
  const auto all = [&](auto&& is) { return std::all_of(list.begin(), list.end(), is); };
  if (all([](const StateValue& item) { return item.is_int(); })) return GRAPNEL_VALUE_I64_LIST;
  if (all([](const StateValue& item) { return item.is_tensor(); })) {
    return GRAPNEL_VALUE_TENSOR_LIST;
  }
  return GRAPNEL_VALUE_F64_LIST;
}

}  // namespace

EventHandler read_event_handler(const grapnel_event_handler* handler) {
  if (handler == nullptr) throw ContractBreach{"a handler is NULL"};
  if (handler->struct_size < GRAPNEL_END_OF(grapnel_event_handler, call)) {
    throw ContractBreach{fmt::format("a handler of {} bytes", handler->struct_size)};
  }
  EventHandler read;
  read.event = checked_name(handler->event, "event's name");
  if (handler->call == nullptr) {
    throw ContractBreach{fmt::format("the handler of {} has no function", quote(read.event))};
  }
  if (handler->argument_count > 0 && handler->arguments == nullptr) {
    throw ContractBreach{fmt::format("the handler of {} names {} arguments without a list of them",
                                     quote(read.event), handler->argument_count)};
  }
  for (std::uint32_t i = 0; i < handler->argument_count; ++i) {
    const grapnel_event_argument* argument = handler->arguments[i];
    if (argument == nullptr ||
        argument->struct_size < GRAPNEL_END_OF(grapnel_event_argument, default_value)) {
      throw ContractBreach{
          fmt::format("argument {} of {} is NULL or too short", i, quote(read.event))};
    }
    EventParameter parameter(checked_name(argument->name, "argument's name"));
    if (argument->type < GRAPNEL_VALUE_NONE || argument->type > GRAPNEL_VALUE_F64_LIST) {
      throw ContractBreach{
          fmt::format("the argument {} has the type {}", quote(parameter.name), argument->type)};
    }
    if ((argument->flags & GRAPNEL_EVENT_HAS_DEFAULT) != 0) {
      parameter.default_value = default_of(argument->default_value, parameter.name);
    }
    read.parameters.push_back(std::move(parameter));
  }
  return read;
}

EventValues::EventValues(InstanceHost& host, const grapnel_event_handler& handler,
                         const BoundArguments& arguments)
    : host_(host) {
  values_.reserve(arguments.values.size());
  for (std::uint32_t i = 0; i < handler.argument_count; ++i) {
    const grapnel_event_argument& declared = *handler.arguments[i];
    const EventValue& value = arguments.values[i];
    const bool may_be_nothing =
        declared.type == GRAPNEL_VALUE_NONE || ((declared.flags & GRAPNEL_EVENT_HAS_DEFAULT) != 0 &&
                                                declared.default_value.tag == GRAPNEL_VALUE_NONE);
    try {
      if (value.is_null() && may_be_nothing) {
        values_.push_back(tagged_value(GRAPNEL_VALUE_NONE));
      } else {
        values_.push_back(convert(value, declared.type));
      }
    } catch (const WrongType&) {
      end_borrows();
      refuse_argument(view(handler.event), view(declared.name), wanted_of(declared.type), value);
    } catch (...) {
      end_borrows();
      throw;
    }
  }
}

EventValues::~EventValues() {
  end_borrows();
}

void EventValues::end_borrows() noexcept {
  for (grapnel_tensor* tensor : borrowed_) host_.tensors.end_borrow(tensor);
}

grapnel_tensor* EventValues::borrow(const at::Tensor& tensor) {
  if (!tensor.defined()) throw WrongType{};
  // As those of a batch: what a loop of the user's own hands on is mostly just that.
  return borrowed_.emplace_back(host_.tensors.borrow(tensor.detach(), /*read_only=*/true));
}

grapnel_value EventValues::convert(const EventValue& value, std::int32_t type) {
  const auto needed = [](auto found) {
    if (!found) throw WrongType{};
    return *std::move(found);
  };
  if (value.is_object() || value.is_null()) throw WrongType{};
  grapnel_value made = tagged_value(type);
  switch (type) {
    case GRAPNEL_VALUE_TENSOR:
      made.u.tensor = borrow(needed(value.as_tensor()));
      return made;
    case GRAPNEL_VALUE_I64:
      made.u.i64 = needed(value.as_int());
      return made;
    case GRAPNEL_VALUE_F64:
      made.u.f64 = needed(value.as_double());
      return made;
    case GRAPNEL_VALUE_BOOL:
      made.u.i64 = needed(value.as_bool()) ? 1 : 0;
      return made;
    case GRAPNEL_VALUE_STRING: {
      const std::string& text = texts_.emplace_back(needed(value.as_string()));
      if (!is_utf8(text)) throw WrongType{};
      made.size = text.size();
      made.u.string = text.data();
      return made;
    }
    case GRAPNEL_VALUE_NONE:
      return convert(value, own_type(value.value()));
    default:
      if (!value.value().is_list()) throw WrongType{};
      return convert_list(value.value().to_list(), type);
  }
}

grapnel_value EventValues::convert_list(const StateList& list, std::int32_t type) {
  grapnel_value made = tagged_value(type, list.size());
  const auto fill = [&](auto& items, auto&& item_of) {
    for (const StateValue& item : list) {
      auto converted = item_of(EventValue(item));
      if (!converted) throw WrongType{};
      items.push_back(*converted);
    }
    return items.data();
  };
  if (type == GRAPNEL_VALUE_I64_LIST) {
    made.u.i64s = fill(integers_.emplace_back(), [](const EventValue& v) { return v.as_int(); });
  } else if (type == GRAPNEL_VALUE_F64_LIST) {
    made.u.f64s = fill(numbers_.emplace_back(), [](const EventValue& v) { return v.as_double(); });
  } else {
    made.u.tensors =
        fill(tensors_.emplace_back(), [&](const EventValue& v) -> std::optional<grapnel_tensor*> {
          const auto tensor = v.as_tensor();
          if (!tensor) return {};
          return borrow(*tensor);
        });
  }
  return made;
}

}  // namespace grapnel::bridge
