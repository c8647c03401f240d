#include "run/prediction_loop.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/data/combined_loader.h"
#include "run/run.h"
#include "values/tensor_tree.h"

namespace grapnel {

void PredictionLoop::setup_data() {
  if (run_.limits.predict.is_zero()) {
    set_ = {};
    return;
  }
  if (!run_.data.loaders && !run_.data_function_defined(DataMethod::predict_dataloaders)) {
    throw ConfigError({},
                      "predict has no data: pass loaders, or define predict_dataloader in the data "
                      "module or the module");
  }
  if (run_.data.loaders) {
    set_.loaders = run_.data.eval;
  } else {
    set_.loaders = run_.in_data("predict_dataloader", [&] {
      return run_.data.module != nullptr ? run_.data.module->predict_dataloaders()
                                         : run_.module->predict_dataloaders();
    });
  }
  set_.loaders = separate_loaders(set_.loaders);
  predict_every_sample();
  set_.limits.clear();
  for (const auto& loader : set_.loaders) {
    if (loader == nullptr) throw ConfigError({}, "a prediction data loader is null");
    if (const auto* combined = dynamic_cast<const CombinedLoader*>(loader.get())) {
      throw ConfigError({},
                        fmt::format("predict can't take a CombinedLoader of mode {}, because its "
                                    "predictions belong to no one loader; use sequential",
                                    to_string(combined->mode())));
    }
    if (loader->shuffles()) {
      log_once("predict-shuffled", LogLevel::warning,
               "the predict_dataloader shuffles, so predictions come in another order than the "
               "data; turn its shuffling off");
    }
    set_.limits.push_back(limited_batches(loader->size(), run_.limits.predict, "predict"));
  }
  set_.loaded = true;
}

// A loader that is also trained with may leave out samples; predictions are for all of them.
void PredictionLoop::predict_every_sample() {
  every_sample_.end();
  DataLoaders dropping;
  for (const auto& loader : set_.loaders) {
    if (loader != nullptr && loader->drops_last()) dropping.push_back(loader);
  }
  if (dropping.empty()) return;
  every_sample_ = run_.leases.take("predictions for every sample", [dropping] {
    for (const auto& loader : dropping) loader->set_drop_last(true);
  });
  for (const auto& loader : dropping) loader->set_drop_last(false);
}

void PredictionLoop::run() {
  c10::InferenceMode inference_mode(run_.options.inference_mode);
  at::NoGradGuard no_grad;
  results_.clear();
  setup_data();
  if (std::all_of(set_.limits.begin(), set_.limits.end(), [](int64_t n) { return n == 0; })) return;
  run_.state.predict_batch.reset_on_run();
  Lease modes = run_.leases.take("modes of the model during prediction",
                                 [module = run_.module, modes = run_.module->training_modes()] {
                                   module->set_training_modes(modes);
                                 });
  run_.in_module("on_predict_model_eval", [&] { run_.module->on_predict_model_eval(); });
  Event event = run_.event();
  run_.hooks.on_predict_start(event);
  run_.hooks.on_predict_epoch_start(event);

  results_.resize(set_.loaders.size());
  Fetcher fetcher(set_.loaders, set_.limits, /*epoch=*/0, "predict");
  const auto fetch = [&] {
    const ProfilerSpan span(run_.profile.profiler(), "data", "next predict batch");
    return fetcher.next();
  };
  while (std::optional<Fetcher::Item> item = fetch()) {
    predict(std::move(item->batch), item->batch_idx, item->dataloader_idx);
    if (!item->is_last) run_.requests.throw_if_interrupted();
  }
  run_.hooks.on_predict_epoch_end(event);
  run_.hooks.on_predict_end(event);
  if (run_.has(ModuleMethod::on_predict_model_train)) {
    run_.in_module("on_predict_model_train", [&] { run_.module->on_predict_model_train(); });
    modes.keep();
  }
  modes.end();
  every_sample_.end();
}

void PredictionLoop::predict(Batch batch, int64_t batch_idx, int64_t dataloader_idx) {
  Progress& progress = run_.state.predict_batch;
  batch = run_.transfer(std::move(batch), dataloader_idx);
  progress.ready();
  EvalBatchStart start{run_.event(), batch, batch_idx, dataloader_idx};
  run_.hooks.on_predict_batch_start(start);
  progress.started();
  StepOutput output;
  output.prediction = run_.in_step(
      "predict_step", [&] { return run_.module->predict_step(batch, batch_idx, dataloader_idx); });
  progress.processed();
  EvalBatchEnd end{run_.event(), output, batch, batch_idx, dataloader_idx};
  run_.hooks.on_predict_batch_end(end);
  progress.completed();
  results_[static_cast<size_t>(dataloader_idx)].push_back(on_cpu(output.prediction));
}

}  // namespace grapnel
