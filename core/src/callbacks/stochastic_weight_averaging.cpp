#include "grapnel/callbacks/stochastic_weight_averaging.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "callbacks/averaged_weights.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/lr_schedulers/swa_lr.h"
#include "grapnel/trainer.h"
#include "run/loops.h"
#include "run/run.h"
#include "values/float_limits.h"

namespace grapnel {

namespace {

struct ConstantRates : OneOrMore {
  static void check(const std::vector<double>& rates) {
    if (rates.empty()) {
      throw ConfigError({},
                        "is empty; give one learning rate, or one for each group of parameters");
    }
    for (const double rate : rates) {
      if (rate <= kLargestFloat) continue;
      throw ConfigError::of("", "must be at most {}, above which float32 is infinite, found {}",
                            kLargestFloat, rate);
    }
  }
};

struct FirstEpoch : OptionType<std::variant<int64_t, double>> {
  static void check(const std::variant<int64_t, double>& start) {
    const auto* epoch = std::get_if<int64_t>(&start);
    if (epoch != nullptr ? *epoch >= 1 : std::get<double>(start) <= 1.0) return;
    throw ConfigError::of(
        "", "must be an epoch from 1, or a share of max_epochs from 0.0 to 1.0, found {}",
        write_json(write(start)));
  }
};

at::Tensor live_buffer(Module& module, const std::string& layer, const char* name) {
  const StateEntry* entry = module.state_view().find(layer + "." + name);
  return entry == nullptr ? at::Tensor() : entry->tensor.detach();
}

}  // namespace

StochasticWeightAveraging::StochasticWeightAveraging(StochasticWeightAveragingOptions options)
    : given_(std::move(options)),
      options_(given_),
      device_(averaging_device(options_.device, "StochasticWeightAveraging")),
      average_(std::make_unique<AveragedWeights>()) {
  options_table().check(options_, "StochasticWeightAveraging");
}

StochasticWeightAveraging::~StochasticWeightAveraging() = default;

const OptionsTable<StochasticWeightAveragingOptions>& StochasticWeightAveraging::options_table() {
  using O = StochasticWeightAveragingOptions;
  static const OptionsTable<O> table(
      "stochastic_weight_averaging", "Averages the weights over the last epochs.",
      {option<ConstantRates>("swa_lrs", &O::swa_lrs)
           .required()
           .above(0)
           .finite()
           .doc("The constant learning rate, for all groups of parameters or one for each."),
       option<FirstEpoch>("swa_epoch_start", &O::swa_epoch_start)
           .at_least(0)
           .doc("First epoch, counted from 1, or (0.0 to 1.0) the share of max_epochs before it."),
       option("annealing_epochs", &O::annealing_epochs)
           .at_least(0)
           .unit("epochs")
           .doc("Time until the learning rate is the constant one."),
       option("annealing_strategy", &O::annealing_strategy)
           .doc("How the learning rate gets there."),
       option("device", &O::device)
           .null_when_empty()
           .doc("Where to keep the average; null: with the model.")});
  return table;
}

std::optional<int64_t> StochasticWeightAveraging::n_averaged() const {
  return began_ ? std::optional(n_averaged_) : std::nullopt;
}

StateDict StochasticWeightAveraging::average_weights() const {
  StateDict weights;
  for (const AveragedWeights::Entry& entry : average_->entries()) {
    weights[entry.name] = entry.average;
  }
  return weights;
}

StateDict StochasticWeightAveraging::state_dict() const {
  StateDict state{{"n_averaged", n_averaged_},
                  {"latest_update_epoch", latest_update_epoch_},
                  {"scheduler_state", {}},
                  {"average_model_state", {}}};
  if (scheduler_) {
    state["scheduler_state"] = scheduler_->state_dict();
  } else if (!scheduler_state_.empty()) {
    state["scheduler_state"] = scheduler_state_;
  }
  if (!average_->empty()) state["average_model_state"] = average_->state();
  if (!momenta_.empty()) state["momenta"] = momenta_;
  if (accumulation_ > 0) state["accumulate_grad_batches"] = accumulation_;
  const bool has_later_groups =
      scheduler_ ? groups_ < scheduler_->optimizer().groups().size() : groups_ > 0;
  if (has_later_groups) {
    state["annealed_groups"] = static_cast<int64_t>(groups_);
  }
  return state;
}

void StochasticWeightAveraging::load_state_dict(const StateDict& state) {
  const int64_t n_averaged = state.at("n_averaged").to_int();
  const int64_t latest = state.at("latest_update_epoch").to_int();
  const auto part = [&](const char* key) {
    const StateValue* value = state.find(key);
    return value == nullptr || value->is_null() ? StateDict() : snapshot(value->to_dict());
  };
  StateDict scheduler = part("scheduler_state");
  StateDict average = part("average_model_state");
  momenta_ = part("momenta");
  const StateValue* accumulation = state.find("accumulate_grad_batches");
  accumulation_ = accumulation == nullptr ? 0 : accumulation->to_int();
  scheduler_state_ = std::move(scheduler);
  average_state_ = std::move(average);
  const StateValue* groups = state.find("annealed_groups");
  groups_ = groups == nullptr ? 0 : static_cast<size_t>(groups->to_int());
  n_averaged_ = n_averaged;
  latest_update_epoch_ = latest;
}

int64_t StochasticWeightAveraging::start_epoch() const {
  return std::max<int64_t>(std::get<int64_t>(options_.swa_epoch_start) - 1, 0);
}

int64_t StochasticWeightAveraging::end_epoch() const {
  return max_epochs_ == -1 ? std::numeric_limits<int64_t>::max() : max_epochs_ - 1;
}

bool StochasticWeightAveraging::averages_in(int64_t epoch) const {
  return start_epoch() <= epoch && epoch <= end_epoch();
}

void StochasticWeightAveraging::setup(StageEvent& event) {
  if (event.run != RunKind::fit) return;
  average_->clear();
  average_state_.clear();
  scheduler_state_.clear();
  forget_momenta();
  scheduler_.reset();
  began_ = false;
  groups_ = 0;
  if (event.trainer.global_step() > 0) return;
  options_ = given_;
  n_averaged_ = 0;
  latest_update_epoch_ = -1;
}

void StochasticWeightAveraging::on_fit_start(Event& event) {
  Trainer& trainer = event.trainer;
  if (trainer.optimizers().size() != 1) {
    throw ConfigError::of(
        "",
        "StochasticWeightAveraging works with 1 optimizer, but configure_optimizers returned {}",
        trainer.optimizers().size());
  }
  if (trainer.schedulers().size() > 1) {
    throw ConfigError::of("",
                          "StochasticWeightAveraging works with at most 1 lr_scheduler, but "
                          "configure_optimizers returned {}",
                          trainer.schedulers().size());
  }
  max_epochs_ = trainer.state().max_epochs;
  if (const double* share = std::get_if<double>(&options_.swa_epoch_start)) {
    if (max_epochs_ == -1) {
      throw ConfigError::of("swa_epoch_start",
                            "StochasticWeightAveraging: swa_epoch_start={} is a share of "
                            "max_epochs, which is -1 (no limit); give an epoch",
                            *share);
    }
    options_.swa_epoch_start = static_cast<int64_t>(static_cast<double>(max_epochs_) * *share);
  }
  average_->start(event.module, {});
  average_->load(average_state_);
  average_->set_n_averaged(n_averaged_);
  average_state_.clear();

  has_batch_norm_ = !event.module.batch_norms().empty();
  if (has_batch_norm_ && max_epochs_ != -1 && start_epoch() <= end_epoch()) {
    extra_epoch_ = trainer.lease("one more epoch for the statistics of batch normalizations",
                                 [&trainer, n = max_epochs_] { trainer.set_max_epochs(n); });
    trainer.set_max_epochs(max_epochs_ + 1);
  }
  // Their saved states are SWALR's, which are loaded into it when it is made.
  if (!scheduler_state_.empty()) trainer.set_schedulers({});
}

// A run that is resumed within an epoch has no on_train_epoch_start for it.
void StochasticWeightAveraging::on_train_start(Event& event) {
  if (!scheduler_state_.empty()) begin(event);
  if (!momenta_.empty()) lease_statistics_epoch(event);
}

void StochasticWeightAveraging::begin(Event& event) {
  began_ = true;
  Trainer& trainer = event.trainer;
  average_->move_to(device_.value_or(trainer.device()));

  make_scheduler(trainer.optimizers().front());
  if (!scheduler_state_.empty()) {
    scheduler_->load_state_dict(std::exchange(scheduler_state_, {}));
  } else if (trainer.current_epoch() != start_epoch()) {
    log_warning(
        "StochasticWeightAveraging begins in epoch {}, after swa_epoch_start={}, because the "
        "checkpoint has no state of it",
        trainer.current_epoch(), std::get<int64_t>(options_.swa_epoch_start));
  }
  std::vector<SchedulerConfig> schedulers = trainer.schedulers();
  if (schedulers.empty()) {
    schedulers.emplace_back();
  } else {
    const SchedulerConfig& present = schedulers.front();
    const std::string name = present.scheduler->type_name();
    if (present.interval != Interval::epoch || present.frequency != 1) {
      log_warning(
          "StochasticWeightAveraging anneals the learning rate once per epoch; {} had interval={} "
          "and frequency={}",
          name, present.interval == Interval::epoch ? "epoch" : "step", present.frequency);
    }
    log_info("StochasticWeightAveraging replaces the scheduler {} by {}", name,
             scheduler_->type_name());
  }
  schedulers.front() = SchedulerConfig{};
  schedulers.front().scheduler = scheduler_;
  trainer.set_schedulers(std::move(schedulers));
}

// Groups that came after the averaging began keep their rates, also where a resumed run has them from
// its start.
void StochasticWeightAveraging::make_scheduler(const std::shared_ptr<Optimizer>& optimizer) {
  std::vector<ParamGroup>& groups = optimizer->groups();
  if (groups_ == 0 || groups_ > groups.size()) groups_ = groups.size();
  const auto end = groups.begin() + static_cast<std::ptrdiff_t>(groups_);
  std::vector<ParamGroup> later(end, groups.end());
  groups.erase(end, groups.end());
  options_.swa_lrs = per_group(*optimizer, options_.swa_lrs, "swa_lrs");
  for (size_t i = 0; i < groups_; ++i) {
    groups[i].options["initial_lr"] = options_.swa_lrs[i];
  }
  scheduler_ = std::make_shared<SWALR>(optimizer, options_.swa_lrs, options_.annealing_epochs,
                                       options_.annealing_strategy);
  for (ParamGroup& group : later) groups.push_back(std::move(group));
}

void StochasticWeightAveraging::on_train_epoch_start(Event& event) {
  const int64_t epoch = event.trainer.current_epoch();
  if (averages_in(epoch)) {
    if (!began_) begin(event);
    if (epoch > latest_update_epoch_) {
      average_->update(event.module, {.function = options_.avg_fn, .share = {}}, /*buffers=*/false);
      n_averaged_ = average_->n_averaged();
      latest_update_epoch_ = epoch;
    }
  }
  if (extra_epoch_.active() && epoch == end_epoch() + 1) begin_statistics_epoch(event);
}

void StochasticWeightAveraging::begin_statistics_epoch(Event& event) {
  average_->copy_to(event.module, /*buffers=*/false);
  for (const BatchNormLayer& layer : event.module.batch_norms()) {
    if (auto mean = live_buffer(event.module, layer.name, "running_mean"); mean.defined()) {
      mean.zero_();
    }
    if (auto var = live_buffer(event.module, layer.name, "running_var"); var.defined()) {
      var.fill_(1);
    }
    auto count = live_buffer(event.module, layer.name, "num_batches_tracked");
    if (count.defined()) count.zero_();
  }
  // The optimizer is still called at the epoch's end. It must find nothing to do: Lightning leaves
  // it the last batch's gradients where no validation has cleared them, and so ends off the
  // average.
  for (const StateEntry& entry : event.module.state_view().parameters()) {
    entry.tensor.mutable_grad().reset();
  }
  lease_statistics_epoch(event);
}

// Batch normalizations average over all batches, nothing is trained, and no accumulation window
// ends before the epoch does.
void StochasticWeightAveraging::lease_statistics_epoch(Event& event) {
  if (statistics_.active()) return;
  Trainer& trainer = event.trainer;
  const std::vector<BatchNormLayer> layers = event.module.batch_norms();
  const bool resumed = !momenta_.empty();
  for (const BatchNormLayer& layer : layers) {
    if (resumed) break;
    const auto momentum = layer.momentum();
    momenta_[layer.name] = momentum ? StateValue(*momentum) : StateValue();
  }
  if (accumulation_ == 0) accumulation_ = trainer.state().accumulate_grad_batches;
  statistics_ = trainer.lease(
      "the epoch for the statistics of batch normalizations",
      [&trainer, layers, momenta = momenta_, accumulate = accumulation_] {
        trainer.set_skip_backward(false);
        trainer.set_accumulate_grad_batches(accumulate);
        for (const BatchNormLayer& layer : layers) {
          const StateValue* saved = momenta.find(layer.name);
          if (saved == nullptr) continue;
          layer.set_momentum(saved->is_null() ? std::nullopt : std::optional(saved->to_double()));
        }
      });
  for (const BatchNormLayer& layer : layers) layer.set_momentum(std::nullopt);
  trainer.set_skip_backward(true);
  const int64_t batches = trainer.state().num_training_batches;
  const int64_t windows = batches < 0 ? std::numeric_limits<int64_t>::max() : batches + 1;
  trainer.set_accumulate_grad_batches(windows);
  // A checkpoint that a failure wrote was written when these had been taken back.
  if (resumed) Run::of(trainer).loops->fit.set_former_accumulation(windows);
}

void StochasticWeightAveraging::on_train_epoch_end(Event& event) {
  if (statistics_.active()) event.trainer.set_skip_backward(false);
}

void StochasticWeightAveraging::on_train_end(Event&) {
  statistics_.end();
  forget_momenta();
  extra_epoch_.end();
}

void StochasticWeightAveraging::forget_momenta() {
  momenta_.clear();
  accumulation_ = 0;
}

// A resumed run that had nothing left to do has no on_train_end. After the epoch for statistics the
// model has the average already.
void StochasticWeightAveraging::on_fit_end(Event& event) {
  if (!scheduler_state_.empty()) begin(event);
  if (accumulation_ > 0) Run::of(event.trainer).loops->fit.set_former_accumulation(accumulation_);
  statistics_.end();
  forget_momenta();
  extra_epoch_.end();
  const bool is_last = max_epochs_ == -1 || event.trainer.current_epoch() - 1 == end_epoch();
  if (is_last && n_averaged_ > 0) average_->copy_to(event.module, /*buffers=*/false);
}

}  // namespace grapnel
