#include "tuning/tuned_attribute.h"

#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

template <class T>
void add_pointer(TunedAttribute<T>& attribute, T* value) {
  if (value == nullptr) return;
  attribute.add({[value] { return *value; }, [value](T number) { *value = number; }});
}

template <class T>
void add_hyper_parameter(TunedAttribute<T>& attribute, StateDict& parameters) {
  const StateValue* value = parameters.find(attribute.name());
  if (value == nullptr || !(value->is_int() || value->is_double())) return;
  StateDict* owner = &parameters;
  attribute.add(
      {[owner, name = attribute.name()] { return static_cast<T>(owner->at(name).to_double()); },
       [owner, name = attribute.name()](T number) { (*owner)[name] = number; }});
}

}  // namespace

TunedAttribute<double> learning_rate_attribute(Module& module, const std::string& name) {
  const auto find = [&](const std::string& wanted) {
    TunedAttribute<double> attribute(wanted);
    add_pointer(attribute, module.number_attribute(wanted));
    add_hyper_parameter(attribute, module.hyper_parameters);
    return attribute;
  };
  if (!name.empty()) {
    auto attribute = find(name);
    if (attribute.found()) return attribute;
    throw ConfigError(
        {},
        fmt::format("attr_name={}: {} has no numeric attribute or hyper-parameter of that name",
                    quote(name), module.type_name()),
        "attr_name");
  }
  for (const char* usual : {"lr", "learning_rate"}) {
    auto attribute = find(usual);
    if (attribute.found()) return attribute;
  }
  throw ConfigError(
      {},
      fmt::format("the learning-rate finder finds neither 'lr' nor 'learning_rate' in "
                  "{}: return its address from number_attribute, name another one "
                  "with attr_name, or set update_attr=false to leave it alone",
                  module.type_name()),
      "attr_name");
}

TunedAttribute<int64_t> batch_size_attribute(Module& module, DataModule* data,
                                             const std::string& name) {
  TunedAttribute<int64_t> attribute(name);
  int64_t* own = module.integer_attribute(name);
  add_pointer(attribute, own);
  add_hyper_parameter(attribute, module.hyper_parameters);
  if (own != nullptr && module.hyper_parameters.contains(name)) {
    log_warning(
        "{0} is both an attribute and a hyper-parameter of {1}; the batch-size finder starts from "
        "the attribute and sets both. Remove one of them if that is not what you want",
        quote(name), module.type_name());
  }
  if (data != nullptr) {
    add_pointer(attribute, data->integer_attribute(name));
    add_hyper_parameter(attribute, data->hyper_parameters);
  }
  if (attribute.found()) return attribute;
  throw ConfigError(
      {},
      fmt::format(
          "batch_arg_name={}: neither the module nor the data module has an integer attribute "
          "or hyper-parameter of that name; name an existing one, or return its address from "
          "integer_attribute",
          quote(name)),
      "batch_arg_name");
}

}  // namespace grapnel
