#include "grapnel/callbacks/throughput_monitor.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/layer_observer.h"
#include "grapnel/trainer.h"
#include "stats/device_stats.h"
#include "text/python_format.h"

namespace grapnel {

namespace {

int64_t elements_of_batch(const Batch& batch) {
  return batch.empty() ? 0 : batch[0].numel();
}

// run.json has "numel" for it; in C++ it may be any function.
struct ItemCount {
  using Function = std::function<int64_t(const Batch&)>;
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::string};
    spec.choices = {"numel"};
    spec.is_nullable = true;
  }
  static Function read(const ConfigValue& value) {
    return value.is_null() ? Function() : elements_of_batch;
  }
  static std::optional<ConfigValue> write(const Function& count) {
    return count ? std::nullopt : std::optional(ConfigValue());
  }
};

}  // namespace

ThroughputMonitor::Progress::Progress(const ThroughputMonitorOptions& options)
    : throughput(options.window_size, options.separator, options.available_flops) {}

ThroughputMonitor::ThroughputMonitor(ThroughputMonitorOptions options)
    : options_(std::move(options)) {
  if (!options_.batch_size_fn) {
    options_.batch_size_fn = [](const Batch& batch) { return batch.batch_size(); };
  }
  options_table().check(options_, "ThroughputMonitor");
}

ThroughputMonitor::~ThroughputMonitor() = default;

const OptionsTable<ThroughputMonitorOptions>& ThroughputMonitor::options_table() {
  using O = ThroughputMonitorOptions;
  static const OptionsTable<O> table(
      "throughput_monitor", "Logs batches, samples and operations per second.",
      {option("window_size", &O::window_size)
           .at_least(2)
           .unit("batches")
           .doc("Batches to measure over."),
       option("separator", &O::separator).doc("Between the parts of the names."),
       option<ItemCount>("length_fn", &O::length_fn)
           .doc("Items of a batch to count: numel, the elements of its first tensor; null: none."),
       option("available_flops", &O::available_flops)
           .above(0)
           .finite()
           .doc("Operations per second of the device at its best, for device/mfu."),
       option("count_flops", &O::count_flops)
           .doc("Count the operations of a batch where the module has no flops_per_batch.")});
  return table;
}

std::string ThroughputMonitor::state_key() const {
  if (!name().empty()) return name();
  return fmt::format("{}{{'window_size': {}, 'separator': {}}}", type_name(), options_.window_size,
                     python_repr(options_.separator));
}

StateDict ThroughputMonitor::state_dict() const {
  const auto train = stages_.find(Stage::train);
  const Totals& totals = train == stages_.end() ? loaded_ : train->second.totals;
  return {{"train", StateDict{{"time", totals.time},
                              {"batches", totals.batches},
                              {"samples", totals.samples},
                              {"lengths", totals.lengths}}}};
}

void ThroughputMonitor::load_state_dict(const StateDict& state) {
  const StateDict& train = state.at("train").to_dict();
  loaded_ = {.time = train.at("time").to_double(),
             .batches = train.at("batches").to_int(),
             .samples = train.at("samples").to_int(),
             .lengths = train.at("lengths").to_int()};
}

void ThroughputMonitor::setup(StageEvent& event) {
  if (event.run == RunKind::fit) {
    stages_.clear();
    loaded_ = {};
  }
  stages_.erase(event.trainer.stage());
}

ThroughputMonitor::Progress& ThroughputMonitor::progress(const Trainer& trainer) {
  return stages_.try_emplace(trainer.stage(), options_).first->second;
}

void ThroughputMonitor::start(const Trainer& trainer) {
  Progress& stage = progress(trainer);
  stage.throughput.reset();
  stage.totals = {};
  if (trainer.stage() == Stage::train) stage.totals = std::exchange(loaded_, {});
  stage.started = trainer.clock().now() - stage.totals.time;
}

void ThroughputMonitor::before_batch(const Trainer& trainer, const Batch& batch) {
  if (!options_.count_flops || trainer.sanity_checking() || batch.empty()) return;
  if (trainer.module().flops_per_batch().has_value()) return;
  if (!progress(trainer).flops_by_size.contains(options_.batch_size_fn(batch))) {
    counter_ = std::make_unique<FlopCounter>();
  }
}

std::optional<double> ThroughputMonitor::flops_of(Module& module, Progress& stage,
                                                  int64_t samples) {
  if (counter_ != nullptr) {
    stage.flops_by_size[samples] = static_cast<double>(counter_->total());
    counter_.reset();
  }
  if (const auto given = module.flops_per_batch()) return given;
  const auto counted = stage.flops_by_size.find(samples);
  if (counted != stage.flops_by_size.end()) return counted->second;
  if (!warned_) {
    log_warning(
        "ThroughputMonitor: {} defines no flops_per_batch, so no FLOPs are logged; override it, or "
        "set count_flops=true",
        module.type_name());
    warned_ = true;
  }
  return {};
}

void ThroughputMonitor::after_batch(const Trainer& trainer, Module& module, const Batch& batch) {
  synchronize(trainer.device());
  Progress& stage = progress(trainer);
  const double elapsed = trainer.clock().now() - stage.started;
  const at::NoGradGuard no_grad;  // the functions may compute on the batch
  const int64_t samples = options_.batch_size_fn(batch);
  Totals& totals = stage.totals;
  totals.time = elapsed;
  totals.samples += samples;
  ++totals.batches;
  std::optional<int64_t> lengths;
  if (options_.length_fn) lengths = totals.lengths += options_.length_fn(batch);
  stage.throughput.update(elapsed, totals.batches, totals.samples, lengths,
                          flops_of(module, stage, samples));
}

void ThroughputMonitor::log_rates(Trainer& trainer, std::optional<int64_t> step) {
  if (trainer.loggers().empty() || !trainer.is_logging_step()) return;
  Logger::Metrics metrics = progress(trainer).throughput.compute();
  for (auto& [name, value] : metrics) {
    name = fmt::format("{}{}{}", to_string(trainer.stage()), options_.separator, name);
  }
  trainer.log_metrics(metrics, step);
}

void ThroughputMonitor::on_train_start(Event& event) {
  start(event.trainer);
}

void ThroughputMonitor::on_train_batch_start(TrainBatchStart& event) {
  before_batch(event.trainer, event.batch);
}

void ThroughputMonitor::on_train_batch_end(TrainBatchEnd& event) {
  after_batch(event.trainer, event.module, event.batch);
  // Only when the window of accumulated gradients ends, so that the optimizer's time is in it.
  if (!event.trainer.is_accumulating()) log_rates(event.trainer, {});
}

void ThroughputMonitor::on_validation_start(Event& event) {
  if (!event.trainer.sanity_checking()) start(event.trainer);
}

void ThroughputMonitor::on_validation_batch_start(EvalBatchStart& event) {
  before_batch(event.trainer, event.batch);
}

void ThroughputMonitor::on_validation_batch_end(EvalBatchEnd& event) {
  if (event.trainer.sanity_checking()) return;
  after_batch(event.trainer, event.module, event.batch);
  const RunState& state = event.trainer.state();
  const bool fitting = state.kind == RunKind::fit;
  log_rates(event.trainer, (fitting ? state.val_batch : state.eval_batch).total.ready);
}

// The training's clock continues from the end of its last batch.
void ThroughputMonitor::on_validation_end(Event& event) {
  if (event.trainer.sanity_checking() || event.trainer.state().kind != RunKind::fit) return;
  const auto train = stages_.find(Stage::train);
  const auto validation = stages_.find(Stage::validate);
  if (train == stages_.end() || validation == stages_.end()) return;
  const double trained_until = train->second.started + train->second.throughput.last_time();
  const double validated_until =
      validation->second.started + validation->second.throughput.last_time();
  train->second.started += validated_until - trained_until;
}

void ThroughputMonitor::on_test_start(Event& event) {
  start(event.trainer);
}
void ThroughputMonitor::on_test_batch_start(EvalBatchStart& event) {
  before_batch(event.trainer, event.batch);
}
void ThroughputMonitor::on_test_batch_end(EvalBatchEnd& event) {
  after_batch(event.trainer, event.module, event.batch);
  log_rates(event.trainer, event.trainer.state().eval_batch.total.ready);
}

void ThroughputMonitor::on_predict_start(Event& event) {
  start(event.trainer);
}
void ThroughputMonitor::on_predict_batch_start(EvalBatchStart& event) {
  before_batch(event.trainer, event.batch);
}
void ThroughputMonitor::on_predict_batch_end(EvalBatchEnd& event) {
  after_batch(event.trainer, event.module, event.batch);
  log_rates(event.trainer, event.trainer.state().predict_batch.total.ready);
}

// A batch may have failed while its operations were counted.
void ThroughputMonitor::on_run_end(RunEnd&) {
  counter_.reset();
}

}  // namespace grapnel
