#include "grapnel/nn_module.h"

#include <torch/nn/module.h>

#include <fmt/format.h>

#include <set>

#include "grapnel/base/error.h"
#include "values/type_name.h"

namespace grapnel {

namespace {

constexpr std::string_view kObserved = "ObservedImpl<";

// Wrapped to be observed (observed.h).
bool is_observed(const torch::nn::Module& network) {
  return unqualified_name(typeid(network)).starts_with(kObserved);
}

// "Linear" for a torch::nn::LinearImpl, and for one that is observed.
std::string network_type(const torch::nn::Module& network) {
  std::string name = unqualified_name(typeid(network));
  if (is_observed(network)) {
    name = name.substr(kObserved.size());
    name = name.substr(0, name.find_first_of("<,>"));
    if (const size_t scope = name.rfind("::"); scope != std::string::npos) {
      name = name.substr(scope + 2);
    }
  }
  if (name.ends_with("Impl")) name.resize(name.size() - 4);
  return name;
}

}  // namespace

NNModule::~NNModule() = default;

void NNModule::set(std::shared_ptr<torch::nn::Module> network, Forward forward) {
  if (network == nullptr) throw ConfigError({}, "an NNModule was given an empty network");
  network_ = std::move(network);
  forward_ = std::move(forward);
  has_view_ = false;
}

torch::nn::Module& NNModule::network() const {
  if (network_ == nullptr) {
    throw ConfigError({}, fmt::format("{} has no network; give one to the constructor of NNModule, "
                                      "or call set_network in configure_model",
                                      unqualified_name(typeid(*this))));
  }
  return *network_;
}

at::Tensor NNModule::forward(const at::Tensor& input) {
  if (!forward_) {
    throw ConfigError({}, fmt::format("{} has no forward of one tensor; override forward",
                                      unqualified_name(typeid(network()))));
  }
  return forward_(input);
}

std::vector<at::Tensor> NNModule::parameters() {
  std::vector<at::Tensor> found;
  for (const StateEntry& entry : state_view().entries()) {
    if (entry.is_parameter) found.push_back(entry.tensor);
  }
  return found;
}

StateView& NNModule::state_view() {
  if (has_view_ || network_ == nullptr) return view_;
  StateView view;
  std::set<const c10::TensorImpl*> seen;
  for (const auto& item : network_->named_parameters()) {
    if (!item.value().defined() || !seen.insert(item.value().unsafeGetTensorImpl()).second)
      continue;
    view.add({.name = item.key(), .tensor = item.value()});
  }
  for (const auto& item : network_->named_buffers()) {
    if (!item.value().defined() || !seen.insert(item.value().unsafeGetTensorImpl()).second)
      continue;
    view.add({.name = item.key(), .tensor = item.value(), .is_parameter = false});
  }
  view_ = std::move(view);
  has_view_ = true;
  return view_;
}

std::string NNModule::type_name() const {
  if (typeid(*this) != typeid(NNModule) || network_ == nullptr) return Module::type_name();
  return network_type(*network_);
}

void NNModule::train(bool on) {
  network().train(on);
}

std::vector<std::pair<std::string, bool>> NNModule::training_modes() const {
  std::vector<std::pair<std::string, bool>> modes;
  for (const auto& item : network().named_modules()) {
    modes.emplace_back(item.key(), item.value()->is_training());
  }
  return modes;
}

void NNModule::set_training_modes(const std::vector<std::pair<std::string, bool>>& modes) {
  // A module's train() sets all below it too; named_modules() has parents before their children, so
  // that each ends with its own.
  const auto modules = network().named_modules();
  for (const auto& item : modules) {
    for (const auto& [name, on] : modes) {
      if (name == item.key()) item.value()->train(on);
    }
  }
}

void NNModule::to(const at::Device& device) {
  network().to(device);
  Module::to(device);  // the masks of pruned parameters
}

std::vector<Layer> NNModule::layers() {
  std::vector<Layer> found;
  if (network_ == nullptr) return found;
  for (const auto& item : network_->named_modules("", /*include_self=*/false)) {
    const torch::nn::Module& part = *item.value();
    Layer layer{.name = item.key(),
                .type = network_type(part),
                .training = part.is_training(),
                .identity = is_observed(part) ? &part : nullptr};
    std::set<const c10::TensorImpl*> seen;
    for (const at::Tensor& parameter : part.parameters()) {
      if (parameter.defined() && seen.insert(parameter.unsafeGetTensorImpl()).second) {
        layer.parameters.push_back(parameter);
      }
    }
    found.push_back(std::move(layer));
  }
  return found;
}

}  // namespace grapnel
