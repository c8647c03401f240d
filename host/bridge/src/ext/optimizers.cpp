// Extension optimizers: groups and options by number and name.
#include <grapnel/ext/optimizers.h>

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <limits>
#include <map>

#include <grapnel/base/text.h>
#include <grapnel/optim/options.h>
#include <grapnel/optimizer.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"
#include "gradient_scale.h"

namespace grapnel::bridge {
namespace {

// Calls use(Optimizer&) with the one of that number.
template <class Use>
std::int32_t with_optimizer(const InstanceHost& self, std::uint64_t optimizer, Use&& use) {
  if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
  const auto& all = self.trainer()->optimizers();
  return optimizer < all.size() ? use(*all[optimizer]) : GRAPNEL_NOT_FOUND;
}

// Calls use(ParamGroup&) with the one of that number.
template <class Use>
std::int32_t with_group(const InstanceHost& self, std::uint64_t optimizer, std::uint64_t group,
                        Use&& use) {
  return with_optimizer(self, optimizer, [&](Optimizer& owner) {
    return group < owner.groups().size() ? use(owner.groups()[group]) : GRAPNEL_NOT_FOUND;
  });
}

const Optimizer& owner_of(const InstanceHost& self, std::uint64_t optimizer) {
  return *self.trainer()->optimizers()[optimizer];
}

// A value that the optimizer itself would refuse, or that its arithmetic has no number for.
void check_value(const Optimizer& optimizer, std::string_view option, double value) {
  const auto refuse = [&](std::string_view accepted) {
    throw ContractBreach{fmt::format("{} for the option {} of {}, which must be {}", value,
                                     quote(option), optimizer.type_name(), accepted)};
  };
  constexpr double kLargest = std::numeric_limits<float>::max();
  if (!(std::abs(value) <= kLargest)) refuse("a finite number of 32 bits");
  const auto* with_table = dynamic_cast<const TableOptimizer*>(&optimizer);
  const ParameterSpec* spec =
      with_table == nullptr ? nullptr : with_table->parameters().find(option);
  if (spec == nullptr) {  // LibTorch's own, or one that schedulers keep
    if (option == "lr" && value < 0) refuse("at least 0");
    return;
  }
  if (spec->types.front() == ParameterType::boolean) {
    if (value != 0 && value != 1) refuse("0 or 1");
    return;
  }
  const bool too_small = spec->minimum && (value < *spec->minimum ||
                                           (spec->minimum_excluded && value == *spec->minimum));
  const bool too_large = spec->maximum && (value > *spec->maximum ||
                                           (spec->maximum_excluded && value == *spec->maximum));
  if (too_small || too_large) refuse(spec->range_text());
}

bool go_together(const Optimizer& optimizer, const ParamGroup& group) {
  try {
    optimizer.check_options(group);
    return true;
  } catch (const ConfigError&) {
    return false;
  }
}

// Options that don't go together, as nesterov without momentum; that they didn't before is not this
// change's fault.
void check_together(const Optimizer& optimizer, const ParamGroup& group, std::string_view option,
                    double value) {
  ParamGroup changed{.name = group.name, .options = group.options};
  changed.options.find(option)->second = value;
  try {
    optimizer.check_options(changed);
  } catch (const ConfigError& error) {
    if (!go_together(optimizer, group)) return;
    throw ContractBreach{
        fmt::format("{} for the option {}: {}", value, quote(option), error.what())};
  }
}

std::int32_t GRAPNEL_CALL optimizer_count(const grapnel_host* host,
                                          std::uint64_t* result) noexcept {
  return service<NoTensors>(host, "optimizers.count", [&](InstanceHost& self) {
    check_output(result);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    *result = self.trainer()->optimizers().size();
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL optimizer_name(const grapnel_host* host, std::uint64_t optimizer,
                                         grapnel_string* result) noexcept {
  return service(host, "optimizers.name", [&](InstanceHost& self) {
    check_output(result);
    return with_optimizer(self, optimizer, [&](const Optimizer& found) {
      *result = self.keep_text(found.type_name());
      return GRAPNEL_OK;
    });
  });
}

std::int32_t GRAPNEL_CALL group_count(const grapnel_host* host, std::uint64_t optimizer,
                                      std::uint64_t* result) noexcept {
  return service(host, "optimizers.group_count", [&](InstanceHost& self) {
    check_output(result);
    return with_optimizer(self, optimizer, [&](Optimizer& found) {
      *result = found.groups().size();
      return GRAPNEL_OK;
    });
  });
}

std::int32_t GRAPNEL_CALL group(const grapnel_host* host, std::uint64_t optimizer,
                                std::uint64_t index,
                                const grapnel_optimizer_group** result) noexcept {
  return service<NoTensors>(host, "optimizers.group", [&](InstanceHost& self) {
    check_output(result);
    return with_group(self, optimizer, index, [&](const ParamGroup& found) {
      *result = self.keep_group({sizeof(grapnel_optimizer_group),
                                 static_cast<std::uint32_t>(found.options.size()),
                                 self.lend_text(found.name), found.params.size(), 0});
      return GRAPNEL_OK;
    });
  });
}

std::int32_t GRAPNEL_CALL option_name(const grapnel_host* host, std::uint64_t optimizer,
                                      std::uint64_t group_index, std::uint64_t index,
                                      grapnel_string* result) noexcept {
  return service(host, "optimizers.option_name", [&](InstanceHost& self) {
    check_output(result);
    return with_group(self, optimizer, group_index, [&](const ParamGroup& found) {
      if (index >= found.options.size()) return GRAPNEL_NOT_FOUND;
      const auto option = std::next(found.options.begin(), static_cast<std::ptrdiff_t>(index));
      *result = self.lend_text(option->first);
      return GRAPNEL_OK;
    });
  });
}

std::int32_t GRAPNEL_CALL get_option(const grapnel_host* host, std::uint64_t optimizer,
                                     std::uint64_t group_index, grapnel_string option,
                                     double* value) noexcept {
  return service<NoTensors>(host, "optimizers.get_option", [&](InstanceHost& self) {
    check_output(value);
    const std::string_view wanted = checked_text(option, "option's name");
    return with_group(self, optimizer, group_index, [&](const ParamGroup& found) {
      const auto entry = found.options.find(wanted);
      if (entry == found.options.end()) return GRAPNEL_NOT_FOUND;
      *value = entry->second;
      return GRAPNEL_OK;
    });
  });
}

std::int32_t GRAPNEL_CALL set_option(const grapnel_host* host, std::uint64_t optimizer,
                                     std::uint64_t group_index, grapnel_string option,
                                     double value) noexcept {
  return service(host, "optimizers.set_option", [&](InstanceHost& self) {
    const std::string_view wanted = checked_text(option, "option's name");
    return with_group(self, optimizer, group_index, [&](ParamGroup& found) {
      const auto entry = found.options.find(wanted);
      if (entry == found.options.end()) return GRAPNEL_NOT_FOUND;
      check_value(owner_of(self, optimizer), wanted, value);
      check_together(owner_of(self, optimizer), found, wanted, value);
      entry->second = value;
      return GRAPNEL_OK;
    });
  });
}

std::int32_t GRAPNEL_CALL gradients_are_unscaled(const grapnel_host* host,
                                                 std::int32_t* unscaled) noexcept {
  return service<NoTensors>(host, "optimizers.gradients_are_unscaled", [&](InstanceHost& self) {
    check_output(unscaled);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    *unscaled = gradients_have_true_scale(self.trainer()->grad_scaler(), *self.call()) ? 1 : 0;
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_optimizers kOptimizers = {sizeof(grapnel_optimizers),
                                        0,
                                        &optimizer_count,
                                        &optimizer_name,
                                        &group_count,
                                        &group,
                                        &option_name,
                                        &get_option,
                                        &set_option,
                                        &gradients_are_unscaled};

}  // namespace grapnel::bridge
