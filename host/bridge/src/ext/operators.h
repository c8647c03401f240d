// LibTorch's operators for plugins: looked up once, arguments converted by their schema.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/ext/aten.h>

namespace grapnel::bridge {

// The type of an operator's parameter, besides optional and list.
enum class ArgumentKind : std::uint8_t {
  tensor,
  integer,
  number,  // floating point
  scalar,  // keeps whether it was an integer, a number or a boolean
  boolean,
  text,
  dtype,
  layout,
  memory_format,
  device,
  unsupported,  // a generator, a storage, ...: accepts only none
};

struct Argument {
  ArgumentKind kind = ArgumentKind::unsupported;
  bool optional = false;
  bool list = false;
  bool optional_items = false;  // a list of optional tensors, as index() takes
  bool written = false;         // the operator writes to the tensor
};

}  // namespace grapnel::bridge

struct grapnel_operator {
  c10::OperatorHandle handle;
  std::string name;  // "aten::lerp_.Scalar"
  std::vector<grapnel::bridge::Argument> arguments;
  bool changes_identity = false;  // of a tensor that it writes to: its shape, memory, gradient
  bool is_random = false;
  // For describe, made when it is asked for.
  struct Description {
    std::string schema;
    std::deque<std::string> texts;
    std::deque<grapnel_operator_argument> arguments;
    std::vector<const grapnel_operator_argument*> pointers;
    grapnel_operator_info info{};
  };
  std::unique_ptr<Description> description;
};

namespace grapnel::bridge {

class InstanceHost;

// Of one instance.
struct Operators {
  std::deque<grapnel_operator> found;  // the plugin holds addresses
  // Memory of the results, valid until the next call.
  std::deque<std::string> texts;
  std::deque<std::vector<grapnel_tensor*>> tensor_lists;
  std::deque<std::vector<std::int64_t>> integer_lists;
  std::deque<std::vector<double>> number_lists;
};

// Converts the arguments, calls the operator, converts the results. Throws PluginError for
// arguments that the operator doesn't take, ContractBreach for invalid handles, and what the
// operator throws.
// arguments: one per argument of the operator; nullptr: its default.
void call_operator(InstanceHost& self, const grapnel_operator& op,
                   const std::vector<const grapnel_value*>& arguments, grapnel_value* results,
                   std::uint64_t result_count);

// The value as the operator's parameter. PluginError, naming the value, when it doesn't fit.
c10::IValue to_ivalue(InstanceHost& self, const grapnel_operator& op, std::size_t index,
                      const grapnel_value& value);

// The result for the plugin, which owns the tensors in it.
grapnel_value from_ivalue(InstanceHost& self, const grapnel_operator& op, c10::IValue value);

}  // namespace grapnel::bridge
