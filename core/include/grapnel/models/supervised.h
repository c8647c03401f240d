// What the ready models have in common: steps over batches of (input [N, ...], target) with a loss,
// the metrics that they log, and an optimizer and scheduler out of run.json.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/base/json.h"
#include "grapnel/export.h"
#include "grapnel/module.h"

namespace grapnel {

enum class Loss {
  cross_entropy,  // output [N, C] scores, target [N] int64 classes
  mse,            // output and target of the same shape
  l1,
  bce_with_logits,
};

// "cross_entropy", "mse", "l1", "bce_with_logits"; throws ConfigError naming the nearest.
GRAPNEL_CORE_API Loss parse_loss(const std::string& name);

// The mean loss, a scalar.
GRAPNEL_CORE_API at::Tensor compute_loss(Loss loss, const at::Tensor& output,
                                         const at::Tensor& target);

// One step of a stage, "train", "val" or "test": forward of the batch's first tensor, loss against
// its second, and the logs "train_loss" (in the progress bar), "val_loss" and "val_acc" (for cross
// entropy), and so on. Next to the loss it returns "predictions": the model's output, detached. Throws
// DataError when the batch has fewer than two tensors.
GRAPNEL_CORE_API StepOutput supervised_step(Module& module, Batch& batch, std::string_view stage,
                                            Loss loss);

// What supervised_step logs in the trainer's running fit (MetricSource::metric_names).
GRAPNEL_CORE_API std::vector<std::string> supervised_metric_names(const Trainer& trainer,
                                                                  Loss loss);

// An optimizer over the parameters that require a gradient, and a scheduler unless that is null,
// from the form of run.json. A module without such parameters gets no optimizer.
GRAPNEL_CORE_API OptimizerConfig make_optimizer_config(Module& module, const ConfigValue& optimizer,
                                                       const ConfigValue& scheduler,
                                                       std::string_view context);

}  // namespace grapnel
