// ScriptModule: a Module around a TorchScript file, as torch.jit.save writes it.
//
// Its forward takes the batch's first tensor. With a loss it can be trained and evaluated too, on
// batches of (input [N, ...], target): each step logs "<stage>_loss", and for cross entropy
// "<stage>_acc" (the share of right classes) outside of training.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "grapnel/base/json.h"
#include "grapnel/base/options_table.h"
#include "grapnel/export.h"
#include "grapnel/metric_names.h"
#include "grapnel/models/supervised.h"
#include "grapnel/module.h"

namespace grapnel {

struct ScriptModuleOptions {
  Loss loss = Loss::cross_entropy;
  // As run.json has them, see optim/registry.h and lr_schedulers/registry.h. Null: no scheduler.
  ConfigValue optimizer = "Adam";
  ConfigValue scheduler = {};
};

class GRAPNEL_CORE_API ScriptModule : public Module, public MetricSource {
 public:
  // All that one section of run.json has.
  struct Settings {
    std::filesystem::path path;
    ScriptModuleOptions options = {};
  };

  // Throws ConfigError when the file is not there or no TorchScript module with a forward.
  explicit ScriptModule(const std::filesystem::path& path, ScriptModuleOptions options = {});
  explicit ScriptModule(const Settings& settings);
  ~ScriptModule() override;

  static const OptionsTable<Settings>& options_table();

  at::Tensor forward(const at::Tensor& input) override;
  StepOutput training_step(Batch& batch, int64_t batch_idx) override;
  StepOutput validation_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx) override;
  StepOutput test_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx) override;
  OptimizerConfig configure_optimizers() override;
  std::vector<std::string> metric_names(const Trainer& trainer) const override;

  StateView& state_view() override { return view_; }
  void train(bool on) override;
  std::vector<std::pair<std::string, bool>> training_modes() const override;
  void set_training_modes(const std::vector<std::pair<std::string, bool>>& modes) override;
  std::vector<Layer> layers() override;

  // Writes the module with its present weights as a TorchScript file. Throws IoError.
  void save(const std::filesystem::path& path) const;

 private:
  struct Script;
  std::unique_ptr<Script> script_;
  ScriptModuleOptions options_;
};

}  // namespace grapnel
