#include "run/evaluation_loop.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/fit_loop.h"
#include "run/run.h"

namespace grapnel {

EvaluationLoop::EvaluationLoop(Run& run, RunKind kind) : run_(run), kind_(kind) {}

Progress& EvaluationLoop::progress() {
  return inside_fit() ? run_.state.val_batch : run_.state.eval_batch;
}

void EvaluationLoop::reset_progress() {
  progress() = {};
  if (inside_fit()) run_.state.val_is_last_batch = false;
}

std::vector<int64_t> EvaluationLoop::max_batches() const {
  std::vector<int64_t> batches = set_.limits;
  const int64_t sanity = run_.limits.sanity_steps;
  if (run_.state.stage == Stage::sanity_check && sanity >= 0) {
    for (int64_t& n : batches) n = n == kUnlimited ? sanity : std::min(n, sanity);
  }
  return batches;
}

bool EvaluationLoop::skip() const {
  const auto batches = max_batches();
  return std::all_of(batches.begin(), batches.end(), [](int64_t n) { return n == 0; });
}

void EvaluationLoop::setup_data() {
  const int64_t every = run_.options.reload_dataloaders_every_n_epochs;
  const bool reload = every > 0 && run_.current_epoch() - set_.last_reload_epoch >= every;
  if (set_.loaded && inside_fit() && !reload) return;
  const Amount& limit = testing() ? run_.limits.test : run_.limits.val;
  if (limit.is_zero()) return;
  if (!run_.has(testing() ? ModuleMethod::test_step : ModuleMethod::validation_step)) return;
  // Not again right after the sanity check loaded them.
  const bool sanity = run_.state.stage == Stage::sanity_check;
  if (inside_fit() && (!sanity || run_.fit->validates_this_epoch())) {
    set_.last_reload_epoch = run_.current_epoch();
  }

  const auto function = testing() ? DataMethod::test_dataloaders : DataMethod::val_dataloaders;
  if (!inside_fit() && !run_.data.loaders && !run_.data_function_defined(function)) {
    throw ConfigError({},
                      fmt::format("{0} has no data: pass loaders, or define {0}_dataloader in the "
                                  "data module or the module",
                                  testing() ? "test" : "val"));
  }
  if (run_.data.loaders) {
    set_.loaders = run_.data.eval;
  } else {
    set_.loaders = run_.in_data(testing() ? "test_dataloader" : "val_dataloader", [&] {
      if (run_.data.module != nullptr) {
        return testing() ? run_.data.module->test_dataloaders()
                         : run_.data.module->val_dataloaders();
      }
      return testing() ? run_.module->test_dataloaders() : run_.module->val_dataloaders();
    });
  }
  set_.loaders = separate_loaders(set_.loaders);
  set_.limits.clear();
  for (const auto& loader : set_.loaders) {
    if (loader == nullptr) throw ConfigError({}, "an evaluation data loader is null");
    if (inside_fit() && !run_.options.overfit_batches.is_zero() && loader->shuffles()) {
      log_warning("overfit_batches turns shuffling off for the validation data");
      loader->set_shuffle(false);
    }
    set_.limits.push_back(limited_batches(loader->size(), limit, testing() ? "test" : "val"));
  }
  set_.loaded = true;
  seen_batches_.assign(set_.loaders.size(), 0);
}

void EvaluationLoop::reset() {
  logged_.clear();
  progress().reset_on_run();
  if (inside_fit()) run_.state.val_is_last_batch = false;
  const int64_t epoch = inside_fit() ? run_.state.epoch.current.processed : 0;
  fetcher_ = Fetcher(set_.loaders, max_batches(), epoch);
}

void EvaluationLoop::reload() {
  set_ = {};
  setup_data();
  reset();
}

std::vector<MetricDict> EvaluationLoop::run() {
  // Inference tensors can't be used in autograd later, so inside fit only recording is turned off.
  const bool inference = !inside_fit() && run_.options.inference_mode;
  c10::InferenceMode inference_mode(inference);
  at::NoGradGuard no_grad;

  setup_data();
  if (set_.loaders.empty() || skip()) return {};
  reset();
  modes_ = run_.leases.take("modes of the model during evaluation",
                            [module = run_.module, modes = run_.module->training_modes()] {
                              module->set_training_modes(modes);
                            });
  if (testing()) {
    run_.in_module("on_test_model_eval", [&] { run_.module->on_test_model_eval(); });
  } else {
    run_.in_module("on_validation_model_eval", [&] { run_.module->on_validation_model_eval(); });
  }
  Event event = run_.event();
  testing() ? run_.hooks.on_test_start(event) : run_.hooks.on_validation_start(event);
  testing() ? run_.hooks.on_test_epoch_start(event) : run_.hooks.on_validation_epoch_start(event);

  int64_t previous_loader = 0;
  const auto fetch = [&] {
    const ProfilerSpan span(run_.profiler.get(), "data",
                            testing() ? "next test batch" : "next val batch");
    return fetcher_.next();
  };
  while (std::optional<Fetcher::Item> item = fetch()) {
    if (item->dataloader_idx != previous_loader) store_loader_metrics();
    previous_loader = item->dataloader_idx;
    last_ = item->is_last;
    if (inside_fit()) run_.state.val_is_last_batch = last_;
    evaluate(std::move(item->batch), item->batch_idx, item->dataloader_idx);
  }
  store_loader_metrics();
  return on_run_end();
}

void EvaluationLoop::evaluate(Batch batch, int64_t batch_idx, int64_t dataloader_idx) {
  const bool several = set_.loaders.size() > 1;
  batch = run_.transfer(std::move(batch), dataloader_idx);
  progress().ready();
  run_.on_batch_start(batch, several ? std::optional(dataloader_idx) : std::nullopt);

  EvalBatchStart start{run_.event(), batch, batch_idx, dataloader_idx};
  testing() ? run_.hooks.on_test_batch_start(start) : run_.hooks.on_validation_batch_start(start);
  progress().started();
  StepOutput output;
  if (testing()) {
    output = run_.in_step("test_step",
                          [&] { return run_.module->test_step(batch, batch_idx, dataloader_idx); });
  } else {
    output = run_.in_step("validation_step", [&] {
      return run_.module->validation_step(batch, batch_idx, dataloader_idx);
    });
  }
  progress().processed();
  EvalBatchEnd end{run_.event(), output, batch, batch_idx, dataloader_idx};
  testing() ? run_.hooks.on_test_batch_end(end) : run_.hooks.on_validation_batch_end(end);
  run_.on_batch_end();
  progress().completed();

  if (run_.state.stage != Stage::sanity_check) {
    int64_t& seen = seen_batches_[static_cast<size_t>(dataloader_idx)];
    if (!run_.options.loggers.empty()) {
      MetricViews now;
      run_.active_store()->collect(/*on_step=*/true, now);
      run_.log_metrics(now.log, seen);
    }
    ++seen;
  }
  if (!last_) run_.throw_if_interrupted();
}

void EvaluationLoop::store_loader_metrics() {
  run_.epoch_end_reached();
  logged_.push_back(run_.update_eval_epoch_metrics());
}

std::vector<MetricDict> EvaluationLoop::on_run_end() {
  run_.epoch_end_reached();
  run_.active_store()->set_dataloader({});
  Event event = run_.event();
  testing() ? run_.hooks.on_test_epoch_end(event) : run_.hooks.on_validation_epoch_end(event);
  run_.on_epoch_end();

  std::vector<MetricDict> results = std::move(logged_);
  logged_.clear();
  const MetricDict at_end = run_.update_eval_epoch_metrics();
  MetricDict all;
  for (auto loader = results.rbegin(); loader != results.rend(); ++loader) all.update(*loader);
  all.update(at_end);
  for (MetricDict& loader : results) loader.update(at_end);
  run_.log_eval_end_metrics(all);
  // From here on a checkpoint is one written after this validation.
  if (inside_fit()) {
    run_.state.validated_at_batch = run_.state.batch.total.ready;
    run_.monitor_check.note_validation();
  }

  testing() ? run_.hooks.on_test_end(event) : run_.hooks.on_validation_end(event);
  run_.reset_results();

  const auto overridden =
      testing() ? ModuleMethod::on_test_model_train : ModuleMethod::on_validation_model_train;
  if (!run_.has(overridden)) {
    modes_.end();
  } else if (testing()) {
    run_.in_module("on_test_model_train", [&] { run_.module->on_test_model_train(); });
  } else {
    run_.in_module("on_validation_model_train", [&] { run_.module->on_validation_model_train(); });
  }
  modes_.keep();
  if (inside_fit()) run_.fit->note_validation(run_.clock->now());
  return results;
}

}  // namespace grapnel
