#include "model/pruned_weights.h"

#include <fmt/format.h>

#include <string_view>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

constexpr std::string_view kOrig = "_orig";
constexpr std::string_view kMask = "_mask";

std::string orig_name(const std::string& name) {
  return name + std::string(kOrig);
}
std::string mask_name(const std::string& name) {
  return name + std::string(kMask);
}

}  // namespace

std::vector<SavedTensor> saved_tensors(const StateView& view) {
  std::vector<SavedTensor> saved;
  for (const StateEntry& entry : view.entries()) {
    if (!entry.mask.defined()) {
      saved.push_back({entry.name, entry.tensor, entry.persistent});
      continue;
    }
    for (const std::string& name : {orig_name(entry.name), mask_name(entry.name)}) {
      if (view.find(name) == nullptr) continue;
      throw ConfigError({},
                        fmt::format("the model has {}, which is the name under which a checkpoint "
                                    "has the pruned {}; rename one of them",
                                    quote(name), quote(entry.name)),
                        name);
    }
    saved.push_back({orig_name(entry.name), entry.tensor, entry.persistent});
    saved.push_back({mask_name(entry.name), entry.mask, entry.persistent});
  }
  return saved;
}

std::optional<SavedWeight> find_weight(const StateDict& weights, const std::string& name) {
  if (const StateValue* plain = weights.find(name)) return SavedWeight{plain->to_tensor(), {}};
  const StateValue* orig = weights.find(orig_name(name));
  if (orig == nullptr) return {};
  const StateValue* mask = weights.find(mask_name(name));
  return SavedWeight{orig->to_tensor(), mask == nullptr ? at::Tensor() : mask->to_tensor()};
}

void put_weight(StateDict& weights, const std::string& name, const SavedWeight& weight) {
  if (weight.mask.defined()) {
    weights.erase(name);
    weights[orig_name(name)] = weight.tensor;
    weights[mask_name(name)] = weight.mask;
    return;
  }
  if (!weights.contains(name)) {  // else "weight_orig" is another parameter of the model
    weights.erase(orig_name(name));
    weights.erase(mask_name(name));
  }
  weights[name] = weight.tensor;
}

const StateEntry* find_saved_entry(const StateView& view, const std::string& saved_name) {
  const StateEntry* entry = view.find(saved_name);
  if (entry != nullptr || !saved_name.ends_with(kOrig)) return entry;
  return view.find(saved_name.substr(0, saved_name.size() - kOrig.size()));
}

}  // namespace grapnel
