#include "grapnel/models/supervised.h"

#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/l1_loss.h>
#include <ATen/ops/mse_loss.h>
#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/lr_schedulers/registry.h"
#include "grapnel/optim/registry.h"

namespace grapnel {

Loss parse_loss(const std::string& name) {
  if (name == "cross_entropy") return Loss::cross_entropy;
  if (name == "mse") return Loss::mse;
  if (name == "l1") return Loss::l1;
  if (name == "bce_with_logits") return Loss::bce_with_logits;
  const auto meant = nearest(name, {"cross_entropy", "mse", "l1", "bce_with_logits"});
  throw ConfigError({},
                    fmt::format("there is no loss {}{}; known are 'cross_entropy', 'mse', 'l1' and "
                                "'bce_with_logits'",
                                quote(name), did_you_mean(meant)),
                    "loss", meant.value_or(""));
}

at::Tensor compute_loss(Loss loss, const at::Tensor& output, const at::Tensor& target) {
  switch (loss) {
    case Loss::cross_entropy:
      return at::cross_entropy_loss(output, target);
    case Loss::mse:
      return at::mse_loss(output, target);
    case Loss::l1:
      return at::l1_loss(output, target);
    case Loss::bce_with_logits:
      return at::binary_cross_entropy_with_logits(output, target);
  }
  return {};
}

StepOutput supervised_step(Module& module, Batch& batch, std::string_view stage, Loss loss) {
  if (batch.size() < 2) {
    throw DataError(
        fmt::format("{} needs batches of an input and a target, this one has {} tensor{}",
                    module.type_name(), batch.size(), batch.size() == 1 ? "" : "s"));
  }
  const at::Tensor output = module.forward(batch[0]);
  const at::Tensor value = compute_loss(loss, output, batch[1]);
  const bool training = stage == "train";
  LogOptions options{.prog_bar = training, .batch_size = batch.batch_size()};
  module.log(fmt::format("{}_loss", stage), value, options);
  if (!training && loss == Loss::cross_entropy) {
    const at::Tensor right = output.argmax(1).eq(batch[1]).to(at::kFloat).mean();
    module.log(fmt::format("{}_acc", stage), right, options);
  }
  return value;
}

std::vector<std::string> supervised_metric_names(const Trainer& trainer, Loss loss) {
  std::vector<std::string> names = {"train_loss"};
  if (!trainer.validation_enabled()) return names;
  const size_t loaders = trainer.num_val_batches().size();
  // Not loaded yet, or there may be others later.
  if (loaders == 0 || trainer.options().reload_dataloaders_every_n_epochs > 0) return {};
  for (size_t i = 0; i < loaders; ++i) {
    const std::string suffix = loaders == 1 ? "" : fmt::format("/dataloader_idx_{}", i);
    names.push_back("val_loss" + suffix);
    if (loss == Loss::cross_entropy) names.push_back("val_acc" + suffix);
  }
  return names;
}

OptimizerConfig make_optimizer_config(Module& module, const ConfigValue& optimizer,
                                      const ConfigValue& scheduler, std::string_view context) {
  std::vector<at::Tensor> params;
  for (const StateEntry& entry : module.state_view().entries()) {
    if (entry.is_parameter && entry.tensor.requires_grad()) params.push_back(entry.tensor);
  }
  OptimizerConfig config;
  if (params.empty()) return config;
  const std::shared_ptr<Optimizer> made =
      make_optimizer(optimizer, fmt::format("{}.optimizer", context), one_group(std::move(params)));
  config.optimizers.push_back(made);
  if (!scheduler.is_null()) {
    config.schedulers.push_back(
        make_scheduler_config(scheduler, fmt::format("{}.scheduler", context), made));
  }
  return config;
}

}  // namespace grapnel
