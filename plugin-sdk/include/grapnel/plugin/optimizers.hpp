// Optimizers, their groups, and the options of a group ("lr", "momentum", ...).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/plugin/context.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// Valid until the hook returns.
class OptimizerGroup {
 public:
  OptimizerGroup(detail::Context& context, std::size_t optimizer, std::size_t index)
      : context_(&context), optimizer_(optimizer), index_(index) {
    detail::check(context.call<&grapnel_optimizers::group>(optimizer, index, &group_),
                  "group " + std::to_string(index) + " of optimizer " + std::to_string(optimizer));
  }

  std::string_view name() const {
    return detail::from_abi(group_->name);
  }  ///< empty where it has none
  std::size_t parameter_count() const { return static_cast<std::size_t>(group_->parameter_count); }

  /// Empty if the group has no such option.
  std::optional<double> option(std::string_view option_name) const {
    double value = 0;
    const auto status = context_->call<&grapnel_optimizers::get_option>(
        optimizer_, index_, detail::to_abi(option_name), &value);
    if (!detail::check_found(status, "an option of an optimizer")) return {};
    return value;
  }
  /// Takes effect with the next step; a scheduler may overwrite it. Throws Error for an unknown
  /// option.
  void set_option(std::string_view option_name, double value) {
    detail::check(context_->call<&grapnel_optimizers::set_option>(
                      optimizer_, index_, detail::to_abi(option_name), value),
                  "setting option " + std::string(option_name));
  }
  std::vector<std::string> option_names() const {
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < group_->option_count; ++i) {
      grapnel_string text{};
      detail::check(context_->call<&grapnel_optimizers::option_name>(optimizer_, index_, i, &text),
                    "the name of an option");
      names.emplace_back(detail::from_abi(text));
    }
    return names;
  }

 private:
  detail::Context* context_;
  std::size_t optimizer_;
  std::size_t index_;
  const grapnel_optimizer_group* group_ = nullptr;
};

/// One optimizer of the run; valid until the hook returns.
class Optimizer {
 public:
  Optimizer(detail::Context& context, std::size_t index) noexcept
      : context_(&context), index_(index) {}

  std::string name() const {  ///< "Adam", "SGD", ...
    grapnel_string text{};
    detail::check(context_->call<&grapnel_optimizers::name>(index_, &text),
                  "the name of an optimizer");
    return std::string(detail::from_abi(text));
  }
  std::vector<OptimizerGroup> groups() const {
    std::uint64_t count = 0;
    detail::check(context_->call<&grapnel_optimizers::group_count>(index_, &count),
                  "the groups of an optimizer");
    std::vector<OptimizerGroup> groups;
    for (std::uint64_t i = 0; i < count; ++i) {
      groups.emplace_back(*context_, index_, static_cast<std::size_t>(i));
    }
    return groups;
  }

 private:
  detail::Context* context_;
  std::size_t index_;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
