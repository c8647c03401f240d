#include "run/evaluation_loop.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/loops.h"
#include "run/run.h"

namespace grapnel {

// What a validation and a test differ in.
struct EvaluationKind {
  const char* run;     // Trainer's function
  const char* prefix;  // of the names of its options, loaders and batches
  const char* loader_function;
  const char* next_batch;
  Amount RunLimits::*limit;
  DataMethod loaders;
  DataLoaders (DataModule::*data_loaders)();
  DataLoaders (Module::*module_loaders)();

  const char* step_name;
  ModuleMethod step_method;
  StepOutput (Module::*step)(Batch&, int64_t, int64_t);
  const char* eval_name;
  void (Module::*model_eval)();
  const char* train_name;
  ModuleMethod train_method;
  void (Module::*model_train)();

  void (Dispatcher::*start)(Event&);
  void (Dispatcher::*epoch_start)(Event&);
  void (Dispatcher::*batch_start)(EvalBatchStart&);
  void (Dispatcher::*batch_end)(EvalBatchEnd&);
  void (Dispatcher::*epoch_end)(Event&);
  void (Dispatcher::*end)(Event&);
};

namespace {

constexpr EvaluationKind kValidation = {
    .run = "validate",
    .prefix = "val",
    .loader_function = "val_dataloader",
    .next_batch = "next val batch",
    .limit = &RunLimits::val,
    .loaders = DataMethod::val_dataloaders,
    .data_loaders = &DataModule::val_dataloaders,
    .module_loaders = &Module::val_dataloaders,
    .step_name = "validation_step",
    .step_method = ModuleMethod::validation_step,
    .step = &Module::validation_step,
    .eval_name = "on_validation_model_eval",
    .model_eval = &Module::on_validation_model_eval,
    .train_name = "on_validation_model_train",
    .train_method = ModuleMethod::on_validation_model_train,
    .model_train = &Module::on_validation_model_train,
    .start = &Dispatcher::on_validation_start,
    .epoch_start = &Dispatcher::on_validation_epoch_start,
    .batch_start = &Dispatcher::on_validation_batch_start,
    .batch_end = &Dispatcher::on_validation_batch_end,
    .epoch_end = &Dispatcher::on_validation_epoch_end,
    .end = &Dispatcher::on_validation_end,
};

constexpr EvaluationKind kTest = {
    .run = "test",
    .prefix = "test",
    .loader_function = "test_dataloader",
    .next_batch = "next test batch",
    .limit = &RunLimits::test,
    .loaders = DataMethod::test_dataloaders,
    .data_loaders = &DataModule::test_dataloaders,
    .module_loaders = &Module::test_dataloaders,
    .step_name = "test_step",
    .step_method = ModuleMethod::test_step,
    .step = &Module::test_step,
    .eval_name = "on_test_model_eval",
    .model_eval = &Module::on_test_model_eval,
    .train_name = "on_test_model_train",
    .train_method = ModuleMethod::on_test_model_train,
    .model_train = &Module::on_test_model_train,
    .start = &Dispatcher::on_test_start,
    .epoch_start = &Dispatcher::on_test_epoch_start,
    .batch_start = &Dispatcher::on_test_batch_start,
    .batch_end = &Dispatcher::on_test_batch_end,
    .epoch_end = &Dispatcher::on_test_epoch_end,
    .end = &Dispatcher::on_test_end,
};

}  // namespace

EvaluationLoop::EvaluationLoop(Run& run, RunKind kind)
    : Loop(run), kind_(kind), evaluation_(kind == RunKind::test ? kTest : kValidation) {}

Stage EvaluationLoop::stage() const {
  return kind_ == RunKind::test ? Stage::test : Stage::validate;
}

void EvaluationLoop::check() const {
  run_.require(evaluation_.step_method, evaluation_.step_name, evaluation_.run);
}

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
  load(/*ahead=*/run_.state.stage == Stage::sanity_check);
}

void EvaluationLoop::setup_data_ahead() {
  load(/*ahead=*/true);
}

void EvaluationLoop::load(bool ahead) {
  const int64_t every = run_.options.reload_dataloaders_every_n_epochs;
  const bool reload = every > 0 && run_.current_epoch() - set_.last_reload_epoch >= every;
  if (set_.loaded && inside_fit() && !reload) return;
  const Amount& limit = run_.limits.*evaluation_.limit;
  if (limit.is_zero()) return;
  if (!run_.has(evaluation_.step_method)) return;
  // What is loaded ahead of the first validation, for the sanity check, is used by it if it comes in the
  // same epoch. It counts as loaded in that epoch at the start of a training alone: a resumed one may
  // have no validation there.
  const int64_t epoch = run_.current_epoch();
  const bool counts = !ahead || (epoch == 0 && run_.loops->fit.validates_this_epoch());
  const bool is_reload = inside_fit() && reload && counts;
  if (is_reload) set_.last_reload_epoch = epoch;
  if (is_reload && set_.loaded && loaded_ahead_in_ == epoch) {
    seen_batches_.assign(set_.loaders.size(), 0);
    return;
  }
  loaded_ahead_in_ = reload && !counts ? epoch : -1;

  if (!inside_fit() && !run_.data.loaders && !run_.data_function_defined(evaluation_.loaders)) {
    throw ConfigError({},
                      fmt::format("{0} has no data: pass loaders, or define {0}_dataloader in the "
                                  "data module or the module",
                                  evaluation_.prefix));
  }
  if (run_.data.loaders) {
    set_.loaders = run_.data.eval;
  } else {
    set_.loaders = run_.in_data(evaluation_.loader_function, [&] {
      return run_.data.module != nullptr ? (run_.data.module->*evaluation_.data_loaders)()
                                         : (run_.module->*evaluation_.module_loaders)();
    });
  }
  set_.loaders = separate_loaders(set_.loaders);
  set_.limits.clear();
  for (const auto& loader : set_.loaders) {
    if (loader == nullptr) throw ConfigError({}, "an evaluation data loader is null");
    if (inside_fit() && !run_.options.overfit_batches.is_zero()) {
      turn_off_shuffling(loader, "validation");
    }
    if (loader->shuffles()) {
      log_once(
          fmt::format("{}-shuffled", evaluation_.prefix), LogLevel::warning,
          "the {}_dataloader shuffles; turn its shuffling off, so that each evaluation has the "
          "same batches",
          evaluation_.prefix);
    }
    set_.limits.push_back(limited_batches(loader->size(), limit, evaluation_.prefix));
  }
  set_.loaded = true;
  seen_batches_.assign(set_.loaders.size(), 0);
  if (seen_before_.size() == seen_batches_.size() && !is_reload) seen_batches_ = seen_before_;
  seen_before_.clear();
}

StateList EvaluationLoop::seen_batches(bool is_repeated) const {
  const auto& seen = !seen_before_.empty() ? seen_before_
                     : is_repeated         ? seen_at_start_
                                           : seen_batches_;
  if (std::all_of(seen.begin(), seen.end(), [](int64_t batches) { return batches == 0; })) {
    return {};
  }
  return {seen.begin(), seen.end()};
}

void EvaluationLoop::continue_from(const StateList& seen) {
  seen_before_.clear();
  for (const StateValue& each : seen) seen_before_.push_back(each.to_int());
}

void EvaluationLoop::reset() {
  seen_at_start_ = seen_batches_;
  results_.clear();
  progress().reset_on_run();
  if (inside_fit()) run_.state.val_is_last_batch = false;
  const int64_t epoch = inside_fit() ? run_.state.epoch.current.processed : 0;
  fetcher_ = Fetcher(set_.loaders, max_batches(), epoch, evaluation_.prefix);
}

void EvaluationLoop::reload() {
  set_ = {};
  setup_data();
  reset();
}

void EvaluationLoop::run() {
  // Inference tensors can't be used in autograd later, so inside fit only recording is turned off.
  const bool inference = !inside_fit() && run_.options.inference_mode;
  c10::InferenceMode inference_mode(inference);
  at::NoGradGuard no_grad;

  results_.clear();
  if (!inside_fit()) run_.hooks.forget_unfinished_hook();  // of a fit that failed
  setup_data();
  if (set_.loaders.empty() || skip()) return;
  reset();
  run_.metrics.epoch([&](EpochMetrics& metrics) {
    evaluate_all(metrics);
    end(metrics);
  });
}

void EvaluationLoop::evaluate_all(EpochMetrics& metrics) {
  modes_ = run_.leases.take("modes of the model during evaluation",
                            [module = run_.module, modes = run_.module->training_modes()] {
                              module->set_training_modes(modes);
                            });
  run_.in_module(evaluation_.eval_name, [&] { (run_.module->*evaluation_.model_eval)(); });
  Event event = run_.event();
  (run_.hooks.*evaluation_.start)(event);
  (run_.hooks.*evaluation_.epoch_start)(event);

  int64_t previous_loader = 0;
  const auto fetch = [&] {
    const ProfilerSpan span(run_.profile.profiler(), "data", evaluation_.next_batch);
    return fetcher_.next();
  };
  while (std::optional<Fetcher::Item> item = fetch()) {
    if (item->dataloader_idx != previous_loader) results_.push_back(metrics.end_loader());
    previous_loader = item->dataloader_idx;
    last_ = item->is_last;
    if (inside_fit()) run_.state.val_is_last_batch = last_;
    evaluate(std::move(item->batch), item->batch_idx, item->dataloader_idx, metrics);
  }
  results_.push_back(metrics.end_loader());
}

void EvaluationLoop::evaluate(Batch batch, int64_t batch_idx, int64_t dataloader_idx,
                              EpochMetrics& metrics) {
  batch = run_.transfer(std::move(batch), dataloader_idx);
  progress().ready();
  const bool several = set_.loaders.size() > 1;
  metrics.batch(batch, several ? std::optional(dataloader_idx) : std::nullopt,
                [&] { evaluate_batch(batch, batch_idx, dataloader_idx); });
  progress().completed();

  if (run_.state.stage != Stage::sanity_check) {
    metrics.send_step(seen_batches_[static_cast<size_t>(dataloader_idx)]++);
  }
  if (!last_) run_.requests.throw_if_interrupted();
}

void EvaluationLoop::evaluate_batch(Batch& batch, int64_t batch_idx, int64_t dataloader_idx) {
  EvalBatchStart start{run_.event(), batch, batch_idx, dataloader_idx};
  (run_.hooks.*evaluation_.batch_start)(start);
  progress().started();
  StepOutput output = run_.in_step(evaluation_.step_name, [&] {
    return (run_.module->*evaluation_.step)(batch, batch_idx, dataloader_idx);
  });
  progress().processed();
  EvalBatchEnd end{run_.event(), output, batch, batch_idx, dataloader_idx};
  (run_.hooks.*evaluation_.batch_end)(end);
}

void EvaluationLoop::end(EpochMetrics& metrics) {
  Event event = run_.event();
  metrics.end([&] { (run_.hooks.*evaluation_.epoch_end)(event); });

  const MetricDict at_end = metrics.at_end();
  MetricDict all;
  for (auto loader = results_.rbegin(); loader != results_.rend(); ++loader) all.update(*loader);
  all.update(at_end);
  for (MetricDict& loader : results_) loader.update(at_end);
  metrics.send(all);
  // From here on a checkpoint is one written after this validation.
  if (inside_fit()) {
    run_.state.validated_at_batch = run_.state.batch.total.ready;
    run_.monitor_check.note_validation();
    run_.loggers.release();
    if (run_.state.stage == Stage::validate) run_.loops->fit.enter_validation_end();
  }

  (run_.hooks.*evaluation_.end)(event);
  metrics.reset();

  if (!run_.has(evaluation_.train_method)) {
    modes_.end();
  } else {
    run_.in_module(evaluation_.train_name, [&] { (run_.module->*evaluation_.model_train)(); });
  }
  modes_.keep();
  if (inside_fit()) run_.loops->fit.note_validation(run_.clock->now());
}

}  // namespace grapnel
