#include "grapnel/nn_module.h"

#include <torch/nn/module.h>

#include <fmt/format.h>

#include <set>

#include "grapnel/base/error.h"
#include "type_name.h"

namespace grapnel {

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
  const torch::nn::Module& held = *network_;
  std::string name = unqualified_name(typeid(held));
  if (name.ends_with("Impl")) name.resize(name.size() - 4);
  return name;
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
  Module::to(device);  // entries that a lease put beside the network's own
}

}  // namespace grapnel
