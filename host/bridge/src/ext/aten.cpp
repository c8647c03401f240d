// Extension aten: finds operators in LibTorch's dispatcher and calls them boxed.
#include <grapnel/ext/aten.h>

#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include <string>
#include <utility>

#include <grapnel/base/text.h>

#include "../instance_host.h"
#include "extensions.h"
#include "operators.h"

namespace grapnel::bridge {
namespace {

ArgumentKind kind_of(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType:
      return ArgumentKind::tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
    case c10::TypeKind::ScalarTypeType:
    case c10::TypeKind::LayoutType:
    case c10::TypeKind::MemoryFormatType:
      return ArgumentKind::integer;
    case c10::TypeKind::FloatType:
    case c10::TypeKind::SymFloatType:
      return ArgumentKind::number;
    case c10::TypeKind::NumberType:
      return ArgumentKind::scalar;
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType:
      return ArgumentKind::boolean;
    case c10::TypeKind::StringType:
      return ArgumentKind::text;
    case c10::TypeKind::DeviceObjType:
      return ArgumentKind::device;
    default:
      return ArgumentKind::unsupported;
  }
}

Argument argument_of(const c10::Argument& schema) {
  Argument result;
  c10::TypePtr type = schema.type();
  if (const auto optional = type->cast<c10::OptionalType>()) {
    result.optional = true;
    type = optional->getElementType();
  }
  if (const auto list = type->cast<c10::ListType>()) {
    result.list = true;
    type = list->getElementType();
    if (const auto optional = type->cast<c10::OptionalType>()) {
      result.optional_items = true;
      type = optional->getElementType();
    }
  }
  result.kind = kind_of(*type);
  result.written = schema.alias_info() != nullptr && schema.alias_info()->isWrite();
  return result;
}

// Results of an operator that alias read-only memory, as of set_(batch), are read-only too.
void mark_aliases(const grapnel_operator& op, const grapnel_value* arguments, std::uint64_t count,
                  const std::vector<const void*>& read_only_memory) {
  if (read_only_memory.empty()) return;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!op.arguments[i].written || arguments[i].tag != GRAPNEL_VALUE_TENSOR) continue;
    grapnel_tensor& written = checked_tensor(arguments[i].u.tensor);
    if (shares_memory(written.tensor, read_only_memory)) written.read_only = true;
  }
}

std::int32_t GRAPNEL_CALL find(const grapnel_host* host, grapnel_string name,
                               grapnel_string overload, const grapnel_operator** op) noexcept {
  return service(host, "aten.find", [&](InstanceHost& self) {
    check_output(op);
    const std::string base(checked_text(name, "operator's name"));
    const std::string variant(checked_text(overload, "overload's name"));
    std::string full = variant.empty() ? base : base + "." + variant;
    if (self.operators == nullptr) self.operators = std::make_unique<Operators>();
    for (const grapnel_operator& known : self.operators->found) {
      if (known.name == full) {
        *op = &known;
        return GRAPNEL_OK;
      }
    }
    const auto handle = c10::Dispatcher::singleton().findSchema({base, variant});
    if (!handle) return GRAPNEL_NOT_FOUND;
    std::vector<Argument> arguments;
    for (const c10::Argument& argument : handle->schema().arguments()) {
      arguments.push_back(argument_of(argument));
    }
    self.operators->found.push_back({*handle, std::move(full), std::move(arguments)});
    *op = &self.operators->found.back();
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL call(const grapnel_host* host, const grapnel_operator* op,
                               const grapnel_value* arguments, std::uint64_t argument_count,
                               grapnel_value* results, std::uint64_t result_count) noexcept {
  return service(host, "aten.call", [&](InstanceHost& self) {
    bool known = false;
    if (self.operators != nullptr) {
      for (const grapnel_operator& found : self.operators->found) known = known || &found == op;
    }
    if (!known) throw ContractBreach{"the operator's handle is not one that find gave"};
    if ((argument_count > 0 && arguments == nullptr) || (result_count > 0 && results == nullptr)) {
      throw ContractBreach{fmt::format("{}: arguments or results are NULL", op->name)};
    }
    call_operator(self, *op, arguments, argument_count, results, result_count);
    return GRAPNEL_OK;
  });
}

}  // namespace

void call_operator(InstanceHost& self, const grapnel_operator& op, const grapnel_value* arguments,
                   std::uint64_t argument_count, grapnel_value* results,
                   std::uint64_t result_count) {
  const c10::FunctionSchema& schema = op.handle.schema();
  if (argument_count > op.arguments.size()) {
    throw self.error(fmt::format("{} takes {} arguments, {} were given", op.name,
                                 op.arguments.size(), argument_count));
  }
  if (result_count > schema.returns().size()) {
    throw ContractBreach{fmt::format("{} returns {} values, {} were asked for", op.name,
                                     schema.returns().size(), result_count)};
  }
  self.operators->read_only_memory.clear();
  std::vector<c10::IValue> stack;
  stack.reserve(op.arguments.size());
  for (std::size_t i = 0; i < op.arguments.size(); ++i) {
    if (i < argument_count) {
      stack.push_back(to_ivalue(self, op, i, arguments[i]));
    } else if (const auto& fallback = schema.arguments()[i].default_value()) {
      stack.push_back(*fallback);
    } else {
      throw self.error(fmt::format("{} needs its argument {} ({})", op.name, i,
                                   quote(schema.arguments()[i].name())));
    }
  }
  op.handle.callBoxed(stack);
  Operators& kept = *self.operators;
  mark_aliases(op, arguments, argument_count, kept.read_only_memory);
  kept.texts.clear();
  kept.tensor_lists.clear();
  kept.integer_lists.clear();
  kept.number_lists.clear();
  std::uint64_t done = 0;
  try {
    for (; done < result_count; ++done) {
      results[done] = from_ivalue(self, op, std::move(stack[done]));
    }
  } catch (...) {  // the plugin gets all results or none
    while (done-- > 0) {
      if (results[done].tag == GRAPNEL_VALUE_TENSOR) self.tensors.release(results[done].u.tensor);
    }
    for (const auto& list : kept.tensor_lists) {
      for (grapnel_tensor* tensor : list) self.tensors.release(tensor);
    }
    throw;
  }
}

const grapnel_aten kAten = {sizeof(grapnel_aten), 0, &find, &call};

}  // namespace grapnel::bridge
