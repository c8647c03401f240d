#include "grapnel/models/supervised.h"

#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/l1_loss.h>
#include <ATen/ops/mse_loss.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/data/tensor_data_module.h"
#include "grapnel/lr_schedulers/registry.h"
#include "grapnel/models/classifier.h"
#include "grapnel/optim/registry.h"
#include "models/data_check.h"
#include "models/torch_error.h"
#include "tuning/batch_size_search.h"

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

namespace {

std::string described(const at::Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  return fmt::format("the shape [{}] and the type {}", fmt::join(tensor.sizes(), ", "),
                     c10::toString(tensor.scalar_type()));
}

// Computes; an error of LibTorch becomes a DataError that says first what can't be done. One about
// memory stays as it is: a search for a batch size looks for it.
template <class Compute, class What>
at::Tensor explained(Compute&& compute, What&& what) {
  try {
    return compute();
  } catch (const c10::Error& error) {
    if (is_out_of_memory(error)) throw;
    throw DataError(fmt::format("{}: {}", what(), first_line_of(error)));
  }
}

// "row 14 of 'x.csv'", "sample 3 of the training data"
std::string source_of(const Module& module, std::string_view stage, int64_t index) {
  const auto* data = module.has_trainer()
                         ? dynamic_cast<const TensorDataModule*>(module.trainer().data_module())
                         : nullptr;
  if (data != nullptr) {
    const DataSplit& part = stage == "train" ? data->train_split()
                            : stage == "val" ? data->val_split()
                                             : data->test_split();
    std::string source = data->source_of(part, index);
    if (!source.empty()) return source;
  }
  return fmt::format("sample {} of the {} data", index, stage);
}

// Throws DataError for a target that is no class of the model.
void refuse_classes(const Module& module, const Batch& batch, std::string_view stage,
                    const at::Tensor& output) {
  const at::Tensor& target = batch[1];
  if (!target.defined() || target.dim() != 1 || output.dim() != 2) return;
  if (!at::isIntegralType(target.scalar_type(), /*includeBool=*/false)) return;
  const int64_t wrong = first_wrong_class(target, output.size(1));
  if (wrong < 0) return;
  const bool is_known = static_cast<size_t>(wrong) < batch.sample_indices.size();
  const std::string where =
      is_known ? source_of(module, stage, batch.sample_indices[static_cast<size_t>(wrong)])
               : fmt::format("sample {} of a batch of the {} data", wrong, stage);
  throw DataError(no_such_class(where, target[wrong].item().toLong(), module, output.size(1)));
}

}  // namespace

StepOutput supervised_step(Module& module, Batch& batch, std::string_view stage, Loss loss) {
  if (batch.size() < 2) {
    throw DataError(
        fmt::format("{} needs batches of an input and a target, this one has {} tensor{}",
                    module.type_name(), batch.size(), batch.size() == 1 ? "" : "s"));
  }
  const at::Tensor output =
      explained([&] { return module.forward(batch[0]); },
                [&] {
                  const bool is_ready_made = dynamic_cast<const Classifier*>(&module) != nullptr;
                  return fmt::format(
                      "{} can't take an input of {}{}", module.type_name(), described(batch[0]),
                      is_ready_made ? "; its in_features or in_channels must be the data's" : "");
                });
  const at::Tensor value = explained(
      [&] { return compute_loss(loss, output, batch[1]); },
      [&] {
        if (loss == Loss::cross_entropy) refuse_classes(module, batch, stage, output);
        return fmt::format("the loss can't be computed for an output of {} and a target of {}",
                           described(output), described(batch[1]));
      });
  const bool training = stage == "train";
  LogOptions options{.prog_bar = training, .batch_size = batch.batch_size()};
  module.log(fmt::format("{}_loss", stage), value, options);
  if (!training && loss == Loss::cross_entropy) {
    const at::Tensor right = output.argmax(1).eq(batch[1]).to(at::kFloat).mean();
    module.log(fmt::format("{}_acc", stage), right, options);
  }
  StepOutput result = value;
  result.extras.emplace_back("predictions", output.detach());  // the same memory
  return result;
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
