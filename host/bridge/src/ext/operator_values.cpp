// Conversion between a plugin's values and those of LibTorch's dispatcher.
#include <ATen/core/List.h>
#include <ATen/core/ivalue.h>
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <optional>

#include <grapnel/base/text.h>
#include <grapnel/copy_on_write.h>

#include "../instance_host.h"
#include "../new_tensor.h"
#include "early_writes.h"
#include "module_entries.h"
#include "operators.h"

namespace grapnel::bridge {
namespace {

const char* name_of(std::int32_t tag) {
  switch (tag) {
    case GRAPNEL_VALUE_NONE:
      return "none";
    case GRAPNEL_VALUE_TENSOR:
      return "a tensor";
    case GRAPNEL_VALUE_TENSOR_LIST:
      return "a list of tensors";
    case GRAPNEL_VALUE_I64:
      return "an integer";
    case GRAPNEL_VALUE_F64:
      return "a number";
    case GRAPNEL_VALUE_BOOL:
      return "a boolean";
    case GRAPNEL_VALUE_STRING:
      return "a text";
    case GRAPNEL_VALUE_I64_LIST:
      return "a list of integers";
    case GRAPNEL_VALUE_F64_LIST:
      return "a list of numbers";
    case GRAPNEL_VALUE_DTYPE:
      return "a dtype";
    case GRAPNEL_VALUE_LAYOUT:
      return "a layout";
    case GRAPNEL_VALUE_MEMORY_FORMAT:
      return "a memory format";
    default:
      return "a device";
  }
}

std::string name_of_entry(const ModuleEntries& entries, const at::Tensor& tensor) {
  for (const auto* list : {&entries.parameters, &entries.buffers}) {
    for (const ModuleEntries::Entry& entry : *list) {
      if (entry.handle->tensor.is_same(tensor)) return entry.shown_name;
    }
  }
  return "a tensor";
}

constexpr std::int64_t kAnyInteger = std::numeric_limits<std::int64_t>::max();

// The largest number of an enumeration, by the argument's name: interpolation of grid_sampler
// (bilinear, nearest, bicubic), its padding (zeros, border, reflection), reduction of losses (none,
// mean, sum), normalization of FFTs, mode of embedding_bag (sum, mean, max).
std::int64_t most_of(std::string_view op, std::string_view argument) {
  for (const std::string_view name :
       {"interpolation_mode", "padding_mode", "reduction", "normalization"}) {
    if (argument == name) return 2;
  }
  const bool is_bag = op.find("embedding_bag") != op.npos;
  return is_bag && argument == "mode" ? 2 : kAnyInteger;
}

// Converts one argument.
class Conversion {
 public:
  Conversion(InstanceHost& self, const grapnel_operator& op, std::size_t index,
             const grapnel_value& value)
      : self_(self), op_(op), index_(index), argument_(op.arguments[index]), value_(value) {}

  c10::IValue run() const {
    if (value_.tag < GRAPNEL_VALUE_NONE || value_.tag > GRAPNEL_VALUE_DEVICE) {
      throw NotSupported{
          fmt::format("{}: the argument {} has the tag {}", op_.name, index_, value_.tag)};
    }
    if (value_.reserved != 0) {
      throw ContractBreach{
          fmt::format("{}: the argument {} has {:#x} in its field 'reserved', "
                      "which must be 0",
                      op_.name, index_, value_.reserved)};
    }
    if (value_.tag == GRAPNEL_VALUE_NONE) return none();
    return argument_.list ? list() : single();
  }

 private:
  [[noreturn]] void wrong() const {
    const c10::Argument& schema = op_.handle.schema().arguments()[index_];
    throw self_.error(fmt::format("{}: the argument {} ({}) is {}, found {}", op_.name, index_,
                                  quote(schema.name()), schema.real_type()->str(),
                                  name_of(value_.tag)));
  }

  c10::IValue none() const {
    if (argument_.optional) return {};
    // Where the schema has no optional, LibTorch passes an undefined tensor for "none".
    if (argument_.kind == ArgumentKind::tensor && !argument_.list) return at::Tensor();
    wrong();
  }

  at::Tensor tensor(const grapnel_tensor* handle) const {
    const at::Tensor& tensor = checked_tensor(self_, handle).tensor;
    const ModuleEntries* entries = self_.module_entries.get();
    const bool is_mask =
        entries != nullptr && entries->masks.contains(tensor.unsafeGetTensorImpl());
    if (is_mask && argument_.written) {
      throw self_.error(fmt::format(
          "{} would write to a mask of the model, which is read only; clone it", op_.name));
    }
    // A result may be a view of what it was made of.
    if (is_mask) return detached_copy(tensor).tensor;
    if (!argument_.written) return tensor;
    note_write(self_, tensor, op_.name);
    return written(tensor);
  }

  // What the operator writes to. Of a tensor of the model it gets an alias: the elements are the
  // model's, but whatever an operator does to the tensor itself stays with the alias.
  at::Tensor written(const at::Tensor& tensor) const {
    const ModuleEntries* entries = self_.module_entries.get();
    if (entries == nullptr || !entries->tensors.contains(tensor.unsafeGetTensorImpl())) {
      return tensor;
    }
    if (op_.changes_identity) {
      throw self_.error(fmt::format(
          "{} would change what {} of the model is (its shape, its memory or its gradient); lease "
          "other weights or freeze it (ext/module.h), or work on a clone",
          op_.name, quote(name_of_entry(*entries, tensor))));
    }
    return alias_of(tensor);
  }

  // One of LibTorch's enumerations, of which it doesn't check the number.
  std::int64_t enumerated(std::int32_t tag, std::initializer_list<std::int64_t> known) const {
    if (value_.tag != tag) wrong();
    if (std::find(known.begin(), known.end(), value_.u.i64) == known.end()) {
      throw NotSupported{fmt::format("{}: the argument {} is {} {}", op_.name, index_,
                                     bridge::name_of(tag), value_.u.i64)};
    }
    return value_.u.i64;
  }

  c10::Device device() const {
    const std::string text(this->text());
    try {
      return c10::Device(text);
    } catch (const c10::Error&) {
      throw self_.error(fmt::format("{}: {} is not a device; devices are 'cpu', 'cuda:0', ...",
                                    op_.name, quote(text)));
    }
  }

  // An enumeration that LibTorch declares as a plain integer and takes unchecked.
  std::int64_t integer() const {
    const std::int64_t number = value_.u.i64;
    const std::int64_t most = most_of(op_.name, op_.handle.schema().arguments()[index_].name());
    if (number >= 0 && number <= most) return number;
    if (most == kAnyInteger) return number;
    throw self_.error(fmt::format("{}: the argument {} ({}) is {}; accepted are 0 to {}", op_.name,
                                  index_, quote(op_.handle.schema().arguments()[index_].name()),
                                  number, most));
  }

  std::int64_t boolean() const {
    if (value_.u.i64 != 0 && value_.u.i64 != 1) wrong();
    return value_.u.i64;
  }

  c10::IValue single() const {
    switch (argument_.kind) {
      case ArgumentKind::tensor:
        if (value_.tag == GRAPNEL_VALUE_TENSOR) return tensor(value_.u.tensor);
        break;
      case ArgumentKind::integer:
        if (value_.tag == GRAPNEL_VALUE_I64) return integer();
        break;
      case ArgumentKind::number:
        if (value_.tag == GRAPNEL_VALUE_F64) return value_.u.f64;
        if (value_.tag == GRAPNEL_VALUE_I64) return static_cast<double>(value_.u.i64);
        break;
      case ArgumentKind::scalar:
        if (value_.tag == GRAPNEL_VALUE_F64) return value_.u.f64;
        if (value_.tag == GRAPNEL_VALUE_I64) return value_.u.i64;
        if (value_.tag == GRAPNEL_VALUE_BOOL) return boolean() == 1;
        break;
      case ArgumentKind::boolean:
        if (value_.tag == GRAPNEL_VALUE_BOOL) return boolean() == 1;
        break;
      case ArgumentKind::text:
        if (value_.tag == GRAPNEL_VALUE_STRING) return std::string(text());
        break;
      case ArgumentKind::dtype:
        if (value_.tag == GRAPNEL_VALUE_DTYPE) {
          return static_cast<std::int64_t>(checked_dtype(static_cast<std::int32_t>(
              std::clamp<std::int64_t>(value_.u.i64, INT32_MIN, INT32_MAX))));
        }
        break;
      case ArgumentKind::layout:
        return enumerated(GRAPNEL_VALUE_LAYOUT, {GRAPNEL_TENSOR_STRIDED, GRAPNEL_TENSOR_SPARSE});
      case ArgumentKind::memory_format:
        return enumerated(
            GRAPNEL_VALUE_MEMORY_FORMAT,
            {GRAPNEL_MEMORY_FORMAT_CONTIGUOUS, GRAPNEL_MEMORY_FORMAT_PRESERVE,
             GRAPNEL_MEMORY_FORMAT_CHANNELS_LAST, GRAPNEL_MEMORY_FORMAT_CHANNELS_LAST_3D});
      case ArgumentKind::device:
        if (value_.tag == GRAPNEL_VALUE_DEVICE) return device();
        break;
      case ArgumentKind::unsupported:
        break;
    }
    wrong();
  }

  std::string_view text() const {
    return checked_text({value_.u.string, value_.size}, "text argument");
  }

  template <class Item>
  c10::ArrayRef<Item> items(const Item* data) const {
    if (data == nullptr && value_.size > 0) throw ContractBreach{op_.name + ": a list is NULL"};
    if (value_.size > GRAPNEL_VALUE_MAX_ITEMS) {
      throw ContractBreach{fmt::format("{}: a list of {} items, at most {} are accepted", op_.name,
                                       value_.size, GRAPNEL_VALUE_MAX_ITEMS)};
    }
    return {data, static_cast<std::size_t>(value_.size)};
  }

  c10::IValue list() const {
    switch (argument_.kind) {
      case ArgumentKind::tensor:
        if (value_.tag == GRAPNEL_VALUE_TENSOR_LIST) return tensor_list();
        break;
      case ArgumentKind::integer:
        if (value_.tag == GRAPNEL_VALUE_I64_LIST) {
          return c10::List<std::int64_t>(items(value_.u.i64s));
        }
        if (value_.tag == GRAPNEL_VALUE_I64) return c10::List<std::int64_t>({value_.u.i64});
        break;
      case ArgumentKind::number:
        if (value_.tag == GRAPNEL_VALUE_F64_LIST) return c10::List<double>(items(value_.u.f64s));
        break;
      case ArgumentKind::scalar:
        return scalar_list();
      case ArgumentKind::boolean:
        if (value_.tag == GRAPNEL_VALUE_I64_LIST) {
          c10::List<bool> flags;
          for (const std::int64_t flag : items(value_.u.i64s)) flags.push_back(flag != 0);
          return flags;
        }
        break;
      default:
        break;
    }
    wrong();
  }

  c10::IValue scalar_list() const {
    c10::List<at::Scalar> scalars;
    if (value_.tag == GRAPNEL_VALUE_I64_LIST) {
      for (const std::int64_t item : items(value_.u.i64s)) scalars.push_back(at::Scalar(item));
    } else if (value_.tag == GRAPNEL_VALUE_F64_LIST) {
      for (const double item : items(value_.u.f64s)) scalars.push_back(at::Scalar(item));
    } else {
      wrong();
    }
    return scalars;
  }

  c10::IValue tensor_list() const {
    const auto handles = items(value_.u.tensors);
    if (argument_.optional_items) {  // NULL means none
      c10::List<std::optional<at::Tensor>> tensors;
      for (const grapnel_tensor* handle : handles) {
        tensors.push_back(handle == nullptr ? std::nullopt : std::optional(tensor(handle)));
      }
      return tensors;
    }
    c10::List<at::Tensor> tensors;
    tensors.reserve(handles.size());
    for (const grapnel_tensor* handle : handles) tensors.push_back(tensor(handle));
    return tensors;
  }

  InstanceHost& self_;
  const grapnel_operator& op_;
  std::size_t index_;
  const Argument& argument_;
  const grapnel_value& value_;
};

grapnel_value tagged(std::int32_t tag) {
  grapnel_value value{};
  value.tag = tag;
  return value;
}

grapnel_value from_tensor(InstanceHost& self, const at::Tensor& tensor) {
  if (!tensor.defined()) return tagged(GRAPNEL_VALUE_NONE);
  grapnel_value value = tagged(GRAPNEL_VALUE_TENSOR);
  value.u.tensor = self.tensors.own(tensor);
  return value;
}

grapnel_value from_text(InstanceHost& self, std::string text) {
  const std::string& kept = self.operators->texts.emplace_back(std::move(text));
  grapnel_value value = tagged(GRAPNEL_VALUE_STRING);
  value.u.string = kept.data();
  value.size = kept.size();
  return value;
}

grapnel_value from_tensor_list(InstanceHost& self, const c10::List<at::Tensor>& tensors) {
  auto& kept = self.operators->tensor_lists.emplace_back();
  kept.reserve(tensors.size());
  for (const at::Tensor& tensor : tensors) kept.push_back(self.tensors.own(tensor));
  grapnel_value value = tagged(GRAPNEL_VALUE_TENSOR_LIST);
  value.u.tensors = kept.data();
  value.size = kept.size();
  return value;
}

}  // namespace

c10::IValue to_ivalue(InstanceHost& self, const grapnel_operator& op, std::size_t index,
                      const grapnel_value& value) {
  return Conversion(self, op, index, value).run();
}

grapnel_value from_ivalue(InstanceHost& self, const grapnel_operator& op, c10::IValue value) {
  if (value.isTensor()) return from_tensor(self, value.toTensor());
  if (value.isNone()) return tagged(GRAPNEL_VALUE_NONE);
  if (value.isBool()) {
    grapnel_value result = tagged(GRAPNEL_VALUE_BOOL);
    result.u.i64 = value.toBool() ? 1 : 0;
    return result;
  }
  if (value.isInt()) {
    grapnel_value result = tagged(GRAPNEL_VALUE_I64);
    result.u.i64 = value.toInt();
    return result;
  }
  if (value.isDouble()) {
    grapnel_value result = tagged(GRAPNEL_VALUE_F64);
    result.u.f64 = value.toDouble();
    return result;
  }
  if (value.isString()) return from_text(self, value.toStringRef());
  if (value.isDevice()) return from_text(self, value.toDevice().str());
  if (value.isTensorList()) return from_tensor_list(self, value.toTensorList());
  if (value.isIntList()) {
    const auto& kept = self.operators->integer_lists.emplace_back(value.toIntVector());
    grapnel_value result = tagged(GRAPNEL_VALUE_I64_LIST);
    result.u.i64s = kept.data();
    result.size = kept.size();
    return result;
  }
  if (value.isDoubleList()) {
    const auto& kept = self.operators->number_lists.emplace_back(value.toDoubleVector());
    grapnel_value result = tagged(GRAPNEL_VALUE_F64_LIST);
    result.u.f64s = kept.data();
    result.size = kept.size();
    return result;
  }
  throw self.error(
      fmt::format("{} returns {}, which a plugin can't be given", op.name, value.tagKind()));
}

}  // namespace grapnel::bridge
