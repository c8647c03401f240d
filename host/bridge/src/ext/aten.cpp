// Extension aten: finds operators in LibTorch's dispatcher and calls them boxed.
#include <grapnel/ext/aten.h>

#include <ATen/core/enum_tag.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <grapnel/base/text.h>

#include "../generators.h"
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
      return ArgumentKind::integer;
    case c10::TypeKind::ScalarTypeType:
      return ArgumentKind::dtype;
    case c10::TypeKind::LayoutType:
      return ArgumentKind::layout;
    case c10::TypeKind::MemoryFormatType:
      return ArgumentKind::memory_format;
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
  c10::TypePtr type = schema.real_type();  // which tells a dtype from an integer
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

// Operators that change what a tensor is without LibTorch's tag for it.
bool changes_identity(const c10::OperatorHandle& handle) {
  static const std::set<std::string_view> names = {"aten::set_",
                                                   "aten::set_data",
                                                   "aten::_set_data",
                                                   "aten::resize_",
                                                   "aten::resize_as_",
                                                   "aten::_resize_output_",
                                                   "aten::detach_",
                                                   "aten::requires_grad_",
                                                   "aten::retain_grad",
                                                   "aten::rename_",
                                                   "aten::squeeze_",
                                                   "aten::unsqueeze_",
                                                   "aten::sparse_resize_",
                                                   "aten::_sparse_resize_",
                                                   "aten::sparse_resize_and_clear_",
                                                   "aten::resize_as_sparse_",
                                                   "aten::copy_sparse_to_sparse_",
                                                   "aten::_coalesced_"};
  return handle.hasTag(at::Tag::inplace_view) ||
         names.contains(std::string_view(handle.schema().name()));
}

std::int32_t GRAPNEL_CALL find(const grapnel_host* host, grapnel_string name,
                               grapnel_string overload, const grapnel_operator** op) noexcept {
  return service(host, "aten.find", [&](InstanceHost& self) {
    check_output(op);
    const std::string base(checked_text(name, "operator's name"));
    const std::string variant(checked_text(overload, "overload's name"));
    // Others (inductor, prims, ...) are LibTorch's own, without checks of what they are given.
    if (!base.starts_with("aten::")) return GRAPNEL_NOT_FOUND;
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
    grapnel_operator& added = self.operators->found.emplace_back(
        grapnel_operator{*handle, std::move(full), std::move(arguments), false, false, nullptr});
    added.changes_identity = changes_identity(*handle);
    added.is_random = handle->hasTag(at::Tag::nondeterministic_seeded);
    *op = &added;
    return GRAPNEL_OK;
  });
}

grapnel_operator& checked_operator(const InstanceHost& self, const grapnel_operator* op) {
  if (self.operators != nullptr) {
    for (grapnel_operator& found : self.operators->found) {
      if (&found == op) return found;
    }
  }
  throw ContractBreach{"the operator's handle is not one that find gave"};
}

void check_lists(const grapnel_operator& op, const void* arguments, std::uint64_t argument_count,
                 const void* results, std::uint64_t result_count) {
  if ((argument_count > 0 && arguments == nullptr) || (result_count > 0 && results == nullptr)) {
    throw ContractBreach{fmt::format("{}: arguments or results are NULL", op.name)};
  }
}

std::int32_t GRAPNEL_CALL call(const grapnel_host* host, const grapnel_operator* op,
                               const grapnel_value* arguments, std::uint64_t argument_count,
                               grapnel_value* results, std::uint64_t result_count) noexcept {
  return service(host, "aten.call", [&](InstanceHost& self) {
    const grapnel_operator& known = checked_operator(self, op);
    check_lists(known, arguments, argument_count, results, result_count);
    if (argument_count > known.arguments.size()) {
      throw self.error(fmt::format("{} takes {} arguments, {} were given", known.name,
                                   known.arguments.size(), argument_count));
    }
    std::vector<const grapnel_value*> given(known.arguments.size());
    for (std::size_t i = 0; i < argument_count; ++i) given[i] = &arguments[i];
    call_operator(self, known, given, results, result_count);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL call_named(const grapnel_host* host, const grapnel_operator* op,
                                     const grapnel_string* names, const grapnel_value* arguments,
                                     std::uint64_t argument_count, grapnel_value* results,
                                     std::uint64_t result_count) noexcept {
  return service(host, "aten.call_named", [&](InstanceHost& self) {
    const grapnel_operator& known = checked_operator(self, op);
    check_lists(known, arguments, argument_count, results, result_count);
    if (argument_count > 0 && names == nullptr) throw ContractBreach{"the names are NULL"};
    std::vector<const grapnel_value*> given(known.arguments.size());
    for (std::uint64_t i = 0; i < argument_count; ++i) {
      const std::string_view name = checked_text(names[i], "argument's name");
      const std::optional<int> index =
          known.handle.schema().argumentIndexWithName(std::string(name));
      if (!index) {
        throw NotSupported{fmt::format("{} has no argument {}; it is {}", known.name, quote(name),
                                       c10::toString(known.handle.schema()))};
      }
      const grapnel_value*& place = given[static_cast<std::size_t>(*index)];
      if (place != nullptr) {
        throw ContractBreach{fmt::format("{}: {} is given twice", known.name, quote(name))};
      }
      place = &arguments[i];
    }
    call_operator(self, known, given, results, result_count);
    return GRAPNEL_OK;
  });
}

std::unique_ptr<grapnel_operator::Description> description_of(const grapnel_operator& op) {
  auto made = std::make_unique<grapnel_operator::Description>();
  const c10::FunctionSchema& schema = op.handle.schema();
  for (std::size_t i = 0; i < op.arguments.size(); ++i) {
    const c10::Argument& of = schema.arguments()[i];
    grapnel_operator_argument& argument = made->arguments.emplace_back();
    argument.struct_size = sizeof argument;
    argument.flags = (of.default_value() ? GRAPNEL_ARGUMENT_HAS_DEFAULT : 0u) |
                     (op.arguments[i].optional ? GRAPNEL_ARGUMENT_OPTIONAL : 0u) |
                     (op.arguments[i].list ? GRAPNEL_ARGUMENT_LIST : 0u) |
                     (op.arguments[i].written ? GRAPNEL_ARGUMENT_WRITTEN : 0u);
    argument.name = to_abi(made->texts.emplace_back(of.name()));
    argument.type = to_abi(made->texts.emplace_back(of.real_type()->str()));
    made->pointers.push_back(&argument);
  }
  made->schema = c10::toString(schema);
  made->info.struct_size = sizeof made->info;
  made->info.argument_count = static_cast<std::uint32_t>(made->pointers.size());
  made->info.arguments = made->pointers.data();
  made->info.result_count = schema.returns().size();
  made->info.schema = to_abi(made->schema);
  return made;
}

std::int32_t GRAPNEL_CALL describe_operator(const grapnel_host* host, const grapnel_operator* op,
                                            const grapnel_operator_info** info) noexcept {
  return service(host, "aten.describe", [&](InstanceHost& self) {
    check_output(info);
    grapnel_operator& known = checked_operator(self, op);
    if (known.description == nullptr) known.description = description_of(known);
    *info = &known.description->info;
    return GRAPNEL_OK;
  });
}

}  // namespace

void call_operator(InstanceHost& self, const grapnel_operator& op,
                   const std::vector<const grapnel_value*>& arguments, grapnel_value* results,
                   std::uint64_t result_count) {
  const c10::FunctionSchema& schema = op.handle.schema();
  if (result_count > schema.returns().size()) {
    throw ContractBreach{fmt::format("{} returns {} values, {} were asked for", op.name,
                                     schema.returns().size(), result_count)};
  }
  std::vector<c10::IValue> stack;
  stack.reserve(op.arguments.size());
  for (std::size_t i = 0; i < op.arguments.size(); ++i) {
    if (arguments[i] != nullptr) {
      stack.push_back(to_ivalue(self, op, i, *arguments[i]));
    } else if (const auto& fallback = schema.arguments()[i].default_value()) {
      stack.push_back(*fallback);
    } else {
      throw self.error(fmt::format("{} needs its argument {} ({})", op.name, i,
                                   quote(schema.arguments()[i].name())));
    }
  }
  {
    std::optional<OwnGenerators> own;
    if (op.is_random) {
      self.keep_beginning();
      own.emplace(self.generators);
    }
    const ForeignCodeGuard guard;  // an operator may set modes too
    const at::AutoGradMode recording(self.is_recording());
    op.handle.callBoxed(stack);
    if (self.is_recording()) end_recorded(self);
  }
  Operators& kept = *self.operators;
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

const grapnel_aten kAten = {sizeof(grapnel_aten), 0, &find, &call, &describe_operator, &call_named};

}  // namespace grapnel::bridge
