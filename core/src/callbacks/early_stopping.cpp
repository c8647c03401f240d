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
#include "text/python_format.h"

namespace grapnel {

namespace {

// Three digits after the point, as Lightning shows scores; of small ones three digits all the same.
std::string shown(double score) {
  const bool small = score != 0.0 && std::abs(score) < 0.001;
  return small ? fmt::format("{:.3g}", score) : fmt::format("{:.3f}", score);
}

// Copies of the model's tensors, as checkpoints name them.
StateDict copy_weights(Module& module) {
  StateDict weights;
  for (const SavedTensor& each : saved_tensors(module.state_view())) {
    weights.append(each.name, each.tensor);
  }
  return snapshot(weights);
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
  if (!best_weights_.empty()) state["best_weights"] = best_weights_;
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

  wait_count_ = wait_count;
  stopped_epoch_ = stopped_epoch;
  best_score_ = best_score;
  options_.patience = patience;
  reason_ = static_cast<Reason>(reason);
  message_ = std::move(message);
  if (options_.restore_best_weights) best_weights_ = std::move(weights);
}

void EarlyStopping::setup(StageEvent& event) {
  const TrainerOptions& options = event.trainer.options();
  at_epoch_end_ = options_.check_on_train_epoch_end.value_or(checks_once_per_epoch(options) &&
                                                             options.check_val_every_n_epoch == 1);
}

HookMask EarlyStopping::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  mask.set(Hook::on_train_end,
           options_.restore_best_weights && overridden.test(Hook::on_train_end));
  return mask;
}

void EarlyStopping::on_train_epoch_end(Event& event) {
  if (at_epoch_end_) check(event);
}

void EarlyStopping::on_validation_end(Event& event) {
  if (!at_epoch_end_) check(event);
}

void EarlyStopping::on_train_end(Event& event) {
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
    best_weights_ = copy_weights(event.module);
  }
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
    return stop_for(Reason::stopping_threshold,
                    fmt::format("{} = {} is {} the stopping threshold {}", monitor_,
                                python_repr(current), side(!less), *options_.stopping_threshold));
  }
  if (options_.divergence_threshold && worse(current, *options_.divergence_threshold)) {
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
