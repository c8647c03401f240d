// Which parameters are pruned, for a plugin that keeps, compares or exports weights by their names.
//
// A pruned model has the parameter "weight_orig" and beside it the buffer "weight_mask" of ones and zeros
// in the place of the parameter "weight", as torch.nn.utils.prune names them, and computes with their
// product. That begins in the middle of a training and may end with it: who keeps something for "weight"
// does so under this name all the time.
//
// Not part of plugin.hpp: include it where it is needed.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <grapnel/plugin/services.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// The pruned parameters of the model as it is now; valid until the module's generation changes.
class PrunedParameters {
 public:
  explicit PrunedParameters(const Services& services) {
    std::map<std::string, Tensor> candidates;  // by the name without "_mask"
    for (const Parameter& buffer : services.buffers()) {
      if (!ends_with(buffer.name(), mask_suffix)) continue;
      candidates.emplace(stem(buffer.name()), buffer.tensor());
    }
    if (candidates.empty()) return;
    for (const Parameter& parameter : services.parameters()) {
      if (!ends_with(parameter.name(), orig_suffix)) continue;
      const auto found = candidates.find(stem(parameter.name()));
      if (found != candidates.end()) masks_.insert(candidates.extract(found));
    }
  }

  /// "weight" of the pruned parameter "weight_orig"; of any other the name that it has.
  std::string unpruned_name(const Parameter& parameter) const {
    const std::string_view name = parameter.name();
    return is_pruned(name) ? stem(name) : std::string(name);
  }
  /// Of the parameter's shape, live: what it prunes may change from hook to hook. Undefined for a parameter
  /// that is not pruned.
  Tensor mask(const Parameter& parameter) const {
    return is_pruned(parameter.name()) ? masks_.at(stem(parameter.name())) : Tensor();
  }
  bool is_mask(const Parameter& buffer) const {
    return ends_with(buffer.name(), mask_suffix) && masks_.count(stem(buffer.name())) != 0;
  }

 private:
  static constexpr std::string_view orig_suffix = "_orig";
  static constexpr std::string_view mask_suffix = "_mask";  // as long

  static bool ends_with(std::string_view name, std::string_view suffix) {
    return name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix;
  }
  static std::string stem(std::string_view name) {
    return std::string(name.substr(0, name.size() - orig_suffix.size()));
  }
  bool is_pruned(std::string_view name) const {
    return ends_with(name, orig_suffix) && masks_.count(stem(name)) != 0;
  }

  std::map<std::string, Tensor> masks_;  // by the unpruned name
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
