#include "grapnel/script_module.h"

#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cerrno>
#include <set>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/text.h"
#include "models/shared_options.h"
#include "models/torch_error.h"

namespace grapnel {

template <>
inline constexpr auto enum_names<Loss> =
    std::to_array<EnumName<Loss>>({{Loss::cross_entropy, "cross_entropy"},
                                   {Loss::mse, "mse"},
                                   {Loss::l1, "l1"},
                                   {Loss::bce_with_logits, "bce_with_logits"}});

struct ScriptModule::Script {
  torch::jit::Module module;
};

namespace {

torch::jit::Module load(const std::filesystem::path& path) {
  const std::string shown = quote(display_path(path));
  if (!std::filesystem::exists(path)) {
    throw ConfigError::of("", "cannot load the TorchScript file {}: there is no such file", shown);
  }
  if (!std::filesystem::is_regular_file(path)) {
    throw ConfigError::of("", "cannot load the TorchScript file {}: it is not a regular file",
                          shown);
  }
  try {
    torch::jit::Module module = torch::jit::load(path.string());
    if (module.find_method("forward")) return module;
  } catch (const std::exception& error) {  // c10::Error, ErrorReport of a damaged source, ...
    throw ConfigError::of(
        "", "cannot load the TorchScript file {}: {}; it must be one that torch.jit.save wrote",
        shown, first_line_of(error));
  }
  throw ConfigError::of("", "the TorchScript file {} has no forward", shown);
}

}  // namespace

ScriptModule::ScriptModule(const Settings& settings)
    : ScriptModule(settings.path, settings.options) {}

ScriptModule::ScriptModule(const std::filesystem::path& path, ScriptModuleOptions options)
    : script_(std::make_unique<Script>(Script{load(path)})), options_(std::move(options)) {
  std::set<const c10::TensorImpl*> seen;  // a shared tensor is one entry, under its first name
  for (const auto& item : script_->module.named_parameters()) {
    if (!seen.insert(item.value.unsafeGetTensorImpl()).second) continue;
    view_.add({.name = item.name, .tensor = item.value});
  }
  for (const auto& item : script_->module.named_buffers()) {
    if (!seen.insert(item.value.unsafeGetTensorImpl()).second) continue;
    view_.add({.name = item.name, .tensor = item.value, .is_parameter = false});
  }
}

const OptionsTable<ScriptModule::Settings>& ScriptModule::options_table() {
  using O = ScriptModuleOptions;
  static const OptionsTable<Settings> table(
      "torchscript", "A TorchScript file.",
      {option("path", &Settings::path).required().doc("The file, as torch.jit.save writes it."),
       embed(&Settings::options,
             {option("loss", &O::loss)
                  .doc("The loss between its output and a batch's second tensor.")}),
       embed(&Settings::options, training_options<O>())});
  return table;
}

ScriptModule::~ScriptModule() = default;

at::Tensor ScriptModule::forward(const at::Tensor& input) {
  const c10::IValue output = script_->module.forward({input});
  if (!output.isTensor()) {
    throw ConfigError::of("", "the TorchScript module's forward returns {}, not a tensor",
                          output.tagKind());
  }
  return output.toTensor();
}

StepOutput ScriptModule::training_step(Batch& batch, int64_t /*batch_idx*/) {
  return supervised_step(*this, batch, "train", options_.loss);
}

StepOutput ScriptModule::validation_step(Batch& batch, int64_t /*batch_idx*/,
                                         int64_t /*dataloader_idx*/) {
  return supervised_step(*this, batch, "val", options_.loss);
}

StepOutput ScriptModule::test_step(Batch& batch, int64_t /*batch_idx*/,
                                   int64_t /*dataloader_idx*/) {
  return supervised_step(*this, batch, "test", options_.loss);
}

std::vector<std::string> ScriptModule::metric_names(const Trainer& trainer) const {
  if (typeid(*this) != typeid(ScriptModule)) return {};  // it may log more
  return supervised_metric_names(trainer, options_.loss);
}

OptimizerConfig ScriptModule::configure_optimizers() {
  return make_optimizer_config(*this, options_.optimizer, options_.scheduler, "model");
}

void ScriptModule::train(bool on) {
  script_->module.train(on);
}

std::vector<std::pair<std::string, bool>> ScriptModule::training_modes() const {
  std::vector<std::pair<std::string, bool>> modes;
  for (const auto& item : script_->module.named_modules()) {
    modes.emplace_back(item.name, item.value.is_training());
  }
  return modes;
}

void ScriptModule::set_training_modes(const std::vector<std::pair<std::string, bool>>& modes) {
  for (const auto& item : script_->module.named_modules()) {
    torch::jit::Module part = item.value;  // a handle
    for (const auto& [name, on] : modes) {
      if (name == item.name && part.hasattr("training")) part.setattr("training", on);
    }
  }
}

std::vector<Layer> ScriptModule::layers() {
  std::vector<Layer> found;
  for (const auto& item : script_->module.named_modules()) {
    if (item.name.empty()) continue;  // the module itself
    const auto& type = item.value.type()->name();
    Layer layer{.name = item.name, .type = type.has_value() ? type->name() : "ScriptModule"};
    layer.training = !item.value.hasattr("training") || item.value.is_training();
    std::set<const c10::TensorImpl*> seen;
    for (const at::Tensor& parameter : item.value.parameters()) {
      if (seen.insert(parameter.unsafeGetTensorImpl()).second)
        layer.parameters.push_back(parameter);
    }
    found.push_back(std::move(layer));
  }
  return found;
}

void ScriptModule::save(const std::filesystem::path& path) const {
  // LibTorch writes as it goes; a reader sees the old file or the whole new one.
  const TemporaryDirectory directory(".grapnel-", std::filesystem::absolute(path).parent_path());
  const std::filesystem::path whole = directory / "module.pt";
  try {
    script_->module.save(whole.string());
  } catch (const c10::Error& error) {
    throw IoError("write", path, 0, first_line_of(error));
  }
  std::error_code failed;
  std::filesystem::rename(whole, path, failed);
  if (failed) throw IoError("write", path, failed.value());
}

}  // namespace grapnel
