#include "grapnel/callbacks/early_stopping.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <utility>

#include "callbacks/validation_schedule.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/module.h"
#include "grapnel/trainer.h"
#include "model/pruned_weights.h"
#include "model/weight_leases.h"
#include "run/loops.h"
#include "run/run.h"
#include "text/python_format.h"

namespace grapnel {

namespace {

// Three digits after the point, as Lightning shows scores; of small ones three digits all the same.
std::string shown(double score) {
  const bool small = score != 0.0 && std::abs(score) < 0.001;
  return small ? fmt::format("{:.3g}", score) : fmt::format("{:.3f}", score);
}

// Copies of the tensors that the model computes with, as checkpoints name them: of replaced ones the
// replacement, of masked ones the dense values.
StateDict copy_weights(const Event& event) {
  const WeightLeases& leases = Run::of(event.trainer).weight_leases;
  StateDict weights;
  for (const SavedTensor& each : saved_tensors(event.module.state_view())) {
    const at::Tensor replacement = leases.replacement(each.tensor);
    weights.append(each.name, replacement.defined() ? replacement : leases.training(each.tensor));
  }
  return snapshot(weights);
}

// The weights of a validation that is over, or of one that isn't.
constexpr const char* kMeasured = "measured";
constexpr const char* kMeasuring = "measuring";

// Whether a number decided that the training stops.
bool stopped_by_number(EarlyStopping::Reason reason) {
  return reason != EarlyStopping::Reason::not_stopped &&
         reason != EarlyStopping::Reason::non_finite_metric;
}

// Whether a resumed run has no such validation, and no such end of an epoch.
bool comes_of_a_stop(const Trainer& trainer) {
  return Run::of(trainer).loops->fit.ends_within_epoch();
}

// Gives the entry the saved values, and the saved mask if it is pruned too. What was pruned since
// keeps its mask; what was made permanent since gets the masked values. False: another shape.
bool restore(const StateEntry& entry, const StateDict& weights) {
  const auto saved = find_weight(weights, entry.name);
  if (!saved || saved->tensor.sizes() != entry.tensor.sizes()) return false;
  entry.tensor.detach().copy_(saved->tensor);
  if (!saved->mask.defined()) return true;
  if (entry.mask.defined()) {
    entry.mask.copy_(saved->mask);
  } else {
    entry.tensor.detach().mul_(saved->mask);
  }
  return true;
}

}  // namespace

EarlyStopping::EarlyStopping(std::string monitor, EarlyStoppingOptions options)
    : EarlyStopping(Settings{std::move(monitor), options}) {}

EarlyStopping::EarlyStopping(Settings settings)
    : monitor_(std::move(settings.monitor)),
      options_(settings.options),
      best_score_(worst_score(options_.mode)) {
  options_table().check({monitor_, options_}, "EarlyStopping");
}

const OptionsTable<EarlyStopping::Settings>& EarlyStopping::options_table() {
  using O = EarlyStoppingOptions;
  static const OptionsTable<Settings> table(
      "early_stopping", "Stops the training when a monitored metric no longer improves.",
      {option("monitor", &Settings::monitor)
           .required()
           .filled()
           .identifying()
           .doc("Name of the metric to watch."),
       embed(&Settings::options,
             {option("min_delta", &O::min_delta)
                  .finite()
                  .doc("By how much a value must be better to count as improvement."),
              option("patience", &O::patience)
                  .at_least(0)
                  .unit("checks")
                  .doc("Checks without improvement before it stops."),
              option("verbose", &O::verbose).doc("Log each improvement and the stop."),
              option("mode", &O::mode).identifying().doc("Which direction is better."),
              option("strict", &O::strict)
                  .doc("A missing metric is an error; else the check is skipped."),
              option("check_finite", &O::check_finite)
                  .doc("Stop when the metric is NaN or infinite."),
              option("stopping_threshold", &O::stopping_threshold)
                  .doc("Stop as soon as the metric is better."),
              option("divergence_threshold", &O::divergence_threshold)
                  .doc("Stop as soon as the metric is worse."),
              option("check_on_train_epoch_end", &O::check_on_train_epoch_end)
                  .doc("Check at the end of training epochs (true) or of validations (false); "
                       "null: of epochs, when validation runs once at the end of each."),
              option("start_from_epoch", &O::start_from_epoch)
                  .at_least(0)
                  .doc("No check before this epoch, from 0."),
              option("restore_best_weights", &O::restore_best_weights)
                  .doc("Put the weights of the best check back when the training ends.")})});
  return table;
}

std::string EarlyStopping::state_key() const {
  if (!name().empty()) return name();
  return fmt::format("{}{{'monitor': {}, 'mode': {}}}", type_name(), python_repr(monitor_),
                     python_repr(to_string(options_.mode)));
}

StateDict EarlyStopping::state_dict() const {
  StateDict state{
      {"wait_count", wait_count_},
      {"stopped_epoch", stopped_epoch_},
      {"best_score", best_score_},
      {"patience", options_.patience},
      {"stopping_reason", static_cast<int64_t>(reason_)},
      {"stopping_reason_message", message_ ? StateValue(*message_) : StateValue()},
  };
  if (stopped_by_number(reason_)) state["stopped_at"] = stopped_at_;
  if (!best_weights_.empty()) state["best_weights"] = best_weights_;
  if (!measured_.weights.empty()) {
    StateDict measured{{"weights", measured_.weights}};
    if (measured_.metric.has_value()) {
      measured["step"] = measured_.metric->first;
      measured["value"] = measured_.metric->second;
    }
    state[measured_.is_over ? kMeasured : kMeasuring] = std::move(measured);
  }
  return state;
}

void EarlyStopping::load_state_dict(const StateDict& state) {
  const int64_t wait_count = state.at("wait_count").to_int();
  const int64_t stopped_epoch = state.at("stopped_epoch").to_int();
  const double best_score = state.at("best_score").to_double();
  const int64_t patience = state.at("patience").to_int();
  const StateValue* number = state.find("stopping_reason");
  const int64_t reason = number == nullptr ? 0 : number->to_int();
  if (reason < 0 || reason > static_cast<int64_t>(Reason::non_finite_metric)) {
    throw CheckpointError({}, fmt::format("EarlyStopping: stopping_reason is {}; known are 0 to 4; "
                                          "the checkpoint is of a newer version",
                                          reason));
  }
  const StateValue* text = state.find("stopping_reason_message");
  auto message =
      text == nullptr || text->is_null() ? std::nullopt : std::optional(text->to_string());
  const StateValue* saved = state.find("best_weights");
  StateDict weights = saved == nullptr ? StateDict() : snapshot(saved->to_dict());
  Measured measured;
  for (const char* key : {kMeasured, kMeasuring}) {
    const StateValue* own = state.find(key);
    if (own == nullptr) continue;
    const StateDict& parts = own->to_dict();
    measured = {.weights = snapshot(parts.at("weights").to_dict()), .is_over = key == kMeasured};
    if (measured.is_over || parts.contains("step")) {
      measured.metric = std::pair(parts.at("step").to_int(), parts.at("value").to_double());
    }
  }
  const StateValue* stopped_at = state.find("stopped_at");

  wait_count_ = wait_count;
  stopped_epoch_ = stopped_epoch;
  best_score_ = best_score;
  if (patience != options_.patience) {
    log_info("EarlyStopping: patience={} counts from now on; the checkpoint's run had {}",
             options_.patience, patience);
  }
  reason_ = static_cast<Reason>(reason);
  message_ = std::move(message);
  stopped_at_ = stopped_at == nullptr ? static_cast<double>(wait_count) : stopped_at->to_double();
  loaded_ = true;
  if (!options_.restore_best_weights) return;
  best_weights_ = std::move(weights);
  measured_ = std::move(measured);
}

void EarlyStopping::setup(StageEvent& event) {
  const TrainerOptions& options = event.trainer.options();
  at_epoch_end_ = options_.check_on_train_epoch_end.value_or(checks_once_per_epoch(options) &&
                                                             options.check_val_every_n_epoch == 1);
  if (event.run != RunKind::fit) return;
  loaded_ = false;
  const bool other_module = std::exchange(module_, &event.module) != &event.module;
  if (other_module || event.trainer.global_step() == 0) begin_anew();
}

// The scores and weights of another training are none of this one's.
void EarlyStopping::begin_anew() {
  wait_count_ = stopped_epoch_ = 0;
  best_score_ = worst_score(options_.mode);
  reason_ = Reason::not_stopped;
  message_.reset();
  best_weights_.clear();
  measured_ = {};
  checked_step_ = -1;
  warned_stale_ = false;
}

// A run that was stopped doesn't train on because it is started once more.
void EarlyStopping::on_fit_start(Event& event) {
  if (!std::exchange(loaded_, false) || reason_ == Reason::not_stopped) return;
  if (event.trainer.options().fast_dev_run != 0) return;
  const std::string why = message_.value_or(std::string(to_string(reason_)));
  if (still_stops()) {
    log_info(
        "EarlyStopping: the checkpoint's run was stopped ({}), and so is this one; to train on, "
        "raise patience (now {}) or change the threshold that stopped it",
        why, options_.patience);
    event.trainer.request_stop(why);
    return;
  }
  log_info("EarlyStopping: the checkpoint's run was stopped ({}); with the options of now it isn't",
           why);
  reason_ = Reason::not_stopped;
  message_.reset();
  stopped_epoch_ = 0;
}

// Whether what has stopped the checkpoint's run stops this one too, by the options that were given.
bool EarlyStopping::still_stops() const {
  const auto passed = [&](const std::optional<double>& limit, bool better) {
    return limit && (better ? is_better(options_.mode, stopped_at_, *limit)
                            : is_better(options_.mode, *limit, stopped_at_));
  };
  switch (reason_) {
    case Reason::not_stopped:
      return false;
    case Reason::patience_exhausted:  // min_epochs may have put the stop off over an improvement
      return stopped_at_ >= static_cast<double>(options_.patience);
    case Reason::non_finite_metric:
      return options_.check_finite;
    case Reason::stopping_threshold:
      return passed(options_.stopping_threshold, true);
    case Reason::divergence_threshold:
      return passed(options_.divergence_threshold, false);
  }
  return false;
}

HookMask EarlyStopping::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  for (const Hook hook : {Hook::on_validation_batch_start, Hook::on_fit_end}) {
    mask.set(hook, options_.restore_best_weights && overridden.test(hook));
  }
  return mask;
}

void EarlyStopping::on_train_epoch_end(Event& event) {
  if (at_epoch_end_) check(event);
}

void EarlyStopping::on_validation_end(Event& event) {
  end_measuring(event);
  if (!at_epoch_end_) check(event);
}

// The weights that are validated, which may be leased, and are another model's by the time of the
// check.
void EarlyStopping::on_validation_batch_start(EvalBatchStart& event) {
  const Trainer& trainer = event.trainer;
  if (trainer.state().kind != RunKind::fit || trainer.sanity_checking()) return;
  if (event.batch_idx != 0 || event.dataloader_idx != 0 || comes_of_a_stop(trainer)) return;
  measured_ = {.weights = copy_weights(event), .metric = metric_now(trainer)};
}

// Keeps the weights if the validation has logged the metric.
void EarlyStopping::end_measuring(Event& event) {
  if (measured_.weights.empty() || measured_.is_over || event.trainer.sanity_checking()) return;
  if (comes_of_a_stop(event.trainer)) return;
  const auto before = std::exchange(measured_.metric, metric_now(event.trainer));
  measured_.is_over = measured_.metric.has_value() && measured_.metric != before;
  if (!measured_.is_over) measured_ = {};
}

std::optional<std::pair<int64_t, double>> EarlyStopping::metric_now(const Trainer& trainer) const {
  const MetricDict::Entry* entry = trainer.callback_metrics().find(monitor_);
  if (entry == nullptr) return {};
  return std::pair(entry->global_step, entry->value.number());
}

// A metric that the training has logged since is one of the weights of now.
StateDict EarlyStopping::weights_of_best(Event& event) {
  if (measured_.is_over && measured_.metric == metric_now(event.trainer)) {
    return std::move(measured_.weights);
  }
  return copy_weights(event);
}

// After the other callbacks' on_fit_end, since it monitors a metric: what they do to the weights at
// the end (averages, masks) is done by then.
void EarlyStopping::on_fit_end(Event& event) {
  measured_ = {};
  if (best_weights_.empty()) return;
  const at::NoGradGuard no_grad;
  for (const StateEntry& entry : event.module.state_view().entries()) {
    if (restore(entry, best_weights_)) continue;
    log_warning("EarlyStopping keeps the last weights of {}: the best ones are of another shape",
                quote(entry.name));
  }
  log_info("EarlyStopping restored the weights of the best {} ({})", quote(monitor_),
           shown(best_score_));
}

void EarlyStopping::check(Event& event) {
  Trainer& trainer = event.trainer;
  if (trainer.state().kind != RunKind::fit || trainer.sanity_checking()) return;
  if (trainer.options().fast_dev_run != 0) return;
  if (trainer.current_epoch() < options_.start_from_epoch) return;
  if (comes_of_a_stop(trainer)) return;

  const MetricDict& metrics = trainer.callback_metrics();
  const MetricDict::Entry* entry = metrics.find(monitor_);
  if (entry == nullptr) {
    const MetricError error = missing_metric(type_name(), monitor_, metrics);
    if (options_.strict) throw error;
    if (options_.verbose) log_text(LogLevel::warning, error.what());
    return;
  }
  warn_if_stale(entry->global_step);

  const double best_before = best_score_;
  const Verdict verdict = evaluate(entry->value.number());
  if (options_.restore_best_weights && best_score_ != best_before) {
    best_weights_ = weights_of_best(event);
  }
  measured_ = {};
  // The trainer logs the first stop that it is asked for, with its reason.
  const bool logged = verdict.stop && !trainer.should_stop();
  if (verdict.stop) {
    stopped_epoch_ = trainer.current_epoch();
    message_ = verdict.message;
    trainer.request_stop(verdict.message);
  }
  if (options_.verbose && !logged && !verdict.message.empty()) {
    log_text(LogLevel::info, verdict.message);
  }
}

EarlyStopping::Verdict EarlyStopping::evaluate(double current) {
  const auto worse = [this](double a, double b) { return is_better(options_.mode, b, a); };
  const auto side = [](bool above) { return above ? "above" : "below"; };
  const bool less = options_.mode == MonitorMode::min;
  if (options_.check_finite && !std::isfinite(current)) {
    return stop_for(Reason::non_finite_metric,
                    fmt::format("{} = {} is not finite (best so far {})", monitor_,
                                python_repr(current), shown(best_score_)));
  }
  if (options_.stopping_threshold &&
      is_better(options_.mode, current, *options_.stopping_threshold)) {
    stopped_at_ = current;
    return stop_for(Reason::stopping_threshold,
                    fmt::format("{} = {} is {} the stopping threshold {}", monitor_,
                                python_repr(current), side(!less), *options_.stopping_threshold));
  }
  if (options_.divergence_threshold && worse(current, *options_.divergence_threshold)) {
    stopped_at_ = current;
    return stop_for(Reason::divergence_threshold,
                    fmt::format("{} = {} is {} the divergence threshold {}", monitor_,
                                python_repr(current), side(less), *options_.divergence_threshold));
  }

  // In single precision, like the comparison: see monitor.h.
  const auto delta = static_cast<float>(options_.min_delta);
  const float handicapped = static_cast<float>(current) + (less ? delta : -delta);
  if (is_better(options_.mode, handicapped, best_score_)) {
    std::string message =
        std::isfinite(best_score_)
            ? fmt::format("{} improved by {} (at least min_delta = {}) to {}", monitor_,
                          shown(std::abs(best_score_ - current)),
                          python_repr(std::abs(options_.min_delta)), shown(current))
            : fmt::format("{} has its first best value {}", monitor_, shown(current));
    best_score_ = current;
    wait_count_ = 0;
    return {.stop = false, .message = std::move(message)};
  }
  ++wait_count_;
  if (wait_count_ < options_.patience) return {};
  stopped_at_ = static_cast<double>(wait_count_);
  return stop_for(Reason::patience_exhausted,
                  fmt::format("{} did not improve in the last {} checks (best {})", monitor_,
                              wait_count_, shown(best_score_)));
}

EarlyStopping::Verdict EarlyStopping::stop_for(Reason reason, std::string message) {
  reason_ = reason;
  return {.stop = true, .message = std::move(message)};
}

// A metric that no longer changes, because it is logged less often than it is checked, would look
// like one that no longer improves.
void EarlyStopping::warn_if_stale(int64_t metric_step) {
  const bool stale = std::exchange(checked_step_, metric_step) == metric_step;
  if (!stale || std::exchange(warned_stale_, true)) return;
  log_warning(
      "EarlyStopping checks {} again although nothing logged it since step {}, which counts as a "
      "check without improvement; check_on_train_epoch_end decides when it checks",
      quote(monitor_), metric_step);
}

std::string_view to_string(EarlyStopping::Reason reason) {
  switch (reason) {
    case EarlyStopping::Reason::not_stopped:
      return "NOT_STOPPED";
    case EarlyStopping::Reason::stopping_threshold:
      return "STOPPING_THRESHOLD";
    case EarlyStopping::Reason::divergence_threshold:
      return "DIVERGENCE_THRESHOLD";
    case EarlyStopping::Reason::patience_exhausted:
      return "PATIENCE_EXHAUSTED";
    case EarlyStopping::Reason::non_finite_metric:
      return "NON_FINITE_METRIC";
  }
  return "UNKNOWN";
}

}  // namespace grapnel
