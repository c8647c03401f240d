// ema: keeps an exponential moving average of the weights, and lets validation, test and prediction
// run with it.
//
//   average <- average + (1 - decay) * (weights - average)      after an optimizer step
//
// The first update takes the weights as they are. Defaults, the choice of steps and the copy at the
// end are those of Lightning's EMAWeightAveraging, but that the copy comes in on_fit_end, so that a
// run that is resumed with nothing left to do ends with the average too; the warm-up,
// min(decay, (1 + n) / (10 + n)) at update n, is TensorFlow's (tf.train.ExponentialMovingAverage,
// num_updates). Unlike Lightning's, the swap is a lease: the host always undoes it, and a checkpoint
// written during it has the training weights.
//
// An update is one call for all floating tensors. The average follows the model by name: when
// parameters appear, vanish or change their shape, the others keep theirs. Of a pruned parameter
// the dense tensor is averaged. Its mask is kept too, since the model loses it when pruning becomes
// permanent, and then the average is as sparse as the model.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class Ema final : public Callback {
 public:
  explicit Ema(const Params& params)
      : decay_(params.get("decay", 0.999)),
        every_n_steps_(params.get("update_every_n_steps", 1)),
        start_step_(params.get("update_starting_at_step", 0)),
        use_buffers_(params.get("use_buffers", true)),
        warm_up_(params.get("warm_up", false)),
        copy_at_end_(params.get("copy_to_model_at_end", true)) {}

  /// Begins anew with another training; load_state comes after this.
  void setup(StageEvent& event) override {
    if (event.run_kind() != RunKind::fit || event.global_step() > 0) return;
    updates_ = latest_update_step_ = 0;
    loaded_steps_.reset();
    averages_.clear();
    masks_.clear();
    generation_.reset();
  }

  // A checkpoint may be written between the optimizer's step and the end of its batch.
  void on_train_start(Event& event) override {
    seen_steps_ = loaded_steps_.value_or(event.global_step());
    loaded_steps_.reset();
  }

  void on_train_batch_end(TrainBatchEnd& event) override {
    bool is_due = false;  // never without a new step (within an accumulation window)
    while (seen_steps_ < event.global_step()) is_due = is_due_after(seen_steps_++) || is_due;
    if (!is_due || event.global_step() <= latest_update_step_) return;
    follow_model(event);
    if (updates_ == 0) {
      foreach_copy_(floating_average_, floating_live_);
    } else {
      foreach_lerp_(floating_average_, floating_live_, 1 - decay_now());
    }
    foreach_copy_(other_average_, other_live_);
    ++updates_;
    latest_update_step_ = event.global_step();
  }

  void on_fit_end(Event& event) override {
    if (!copy_at_end_ || updates_ == 0) return;
    follow_model(event);
    foreach_copy_(floating_live_, floating_average_);
    foreach_copy_(other_live_, other_average_);
    event.log_info("the model now has the average of " + std::to_string(updates_) + " updates");
    const double first = warm_up_ ? 0 : std::pow(decay_, static_cast<double>(updates_ - 1));
    if (first > 0.1) {
      event.log_warning(
          "the weights of the first update still make up " +
          std::to_string(std::lround(first * 100)) +
          "% of the average; for so short a training use a smaller decay, or warm_up");
    }
  }

  void on_validation_start(Event& event) override { swap_in(event, "validate the average"); }
  void on_validation_end(Event&) override { lease_.end(); }
  void on_test_start(Event& event) override { swap_in(event, "test the average"); }
  void on_test_end(Event&) override { lease_.end(); }
  void on_predict_start(Event& event) override { swap_in(event, "predict with the average"); }
  void on_predict_end(Event&) override { lease_.end(); }

  void save_state(StateWriter& state) const override {
    state.put("updates", updates_);
    state.put("latest_update_step", latest_update_step_);
    state.put("seen_steps", loaded_steps_.value_or(seen_steps_));
    for (const auto& [key, average] : averages_) state.put(key, average);
    for (const auto& [key, mask] : masks_) state.put(key, mask);
  }

  void load_state(const StateReader& state) override {
    const auto updates = state.get<std::int64_t>("updates");
    const auto latest_update_step = state.get<std::int64_t>("latest_update_step");
    std::map<std::string, Tensor> averages, masks;
    for (const std::string& key : state.keys()) {
      if (starts_with(key, parameter_key) || starts_with(key, buffer_key)) {
        averages.emplace(key, state.get<Tensor>(key));
      } else if (starts_with(key, mask_key)) {
        masks.emplace(key, state.get<Tensor>(key));
      }
    }
    updates_ = updates;
    latest_update_step_ = latest_update_step;
    loaded_steps_ = state.find<std::int64_t>("seen_steps");
    averages_ = std::move(averages);
    masks_ = std::move(masks);
    generation_.reset();  // move them to the model's device before use
  }

 private:
  static constexpr std::string_view parameter_key = "parameter.";
  static constexpr std::string_view buffer_key = "buffer.";
  static constexpr std::string_view mask_key = "mask.";

  /// States of older versions have the average of a pruned parameter under "weight_orig".
  static constexpr std::string_view pruned_suffix = "_orig";

  static bool starts_with(const std::string& key, std::string_view prefix) {
    return key.compare(0, prefix.size(), prefix) == 0;
  }

  // Steps are counted from 0, and from the last update; the first one is at a multiple.
  bool is_due_after(std::int64_t step_idx) const {
    if (step_idx < start_step_) return false;
    if (latest_update_step_ == 0) return step_idx % every_n_steps_ == 0;
    return step_idx - (latest_update_step_ - 1) >= every_n_steps_;
  }

  static std::string shape_of(const Tensor& tensor) {
    std::string text;
    for (const std::int64_t size : tensor.sizes()) {
      text += (text.empty() ? "" : ", ") + std::to_string(size);
    }
    return "[" + text + "]";
  }

  double decay_now() const {
    if (!warm_up_) return decay_;
    const double n = static_cast<double>(updates_);
    return std::min(decay_, (1 + n) / (10 + n));
  }

  void swap_in(const Services& event, const char* reason) {
    if (updates_ == 0) return;  // the sanity check before the first step
    follow_model(event);
    lease_ = event.lease_weights(parameter_indices_, buffer_indices_, all_averages_, reason);
  }

  // nullptr: there is none.
  const Tensor* known_average(const std::string& key) const {
    auto known = averages_.find(key);
    if (known == averages_.end()) known = averages_.find(key + std::string(pruned_suffix));
    return known == averages_.end() ? nullptr : &known->second;
  }

  // Pairs the averages with the model's tensors again if these have changed. A tensor without an
  // average of its shape starts with its present values.
  void follow_model(const Services& event) {
    const std::uint64_t generation = event.module_generation();
    if (generation_ == generation) return;

    std::map<std::string, Tensor> averages, masks;
    TensorList all_averages, floating_average, other_average;
    std::vector<Parameter> floating, other;
    const auto pair = [&](const Parameter& entry, const std::string& key) {
      const Tensor live = entry.tensor();
      Tensor average = live.clone();
      const std::string name(entry.name());
      const Tensor* known = known_average(key);
      if (known != nullptr && known->sizes() == live.sizes()) {
        average.copy_(*known);  // converts, where the model's type has changed
      } else if (known != nullptr) {
        event.log_warning("the average of " + name + " was of the shape " + shape_of(*known) +
                          ", the model's is of " + shape_of(live) + "; it starts over");
      } else if (updates_ > 0) {
        event.log_info("the average of " + name + " starts over");
      }
      const bool is_floating = live.is_floating_point();
      (is_floating ? floating : other).push_back(entry);
      (is_floating ? floating_average : other_average).push_back(average);
      all_averages.push_back(average);
      return averages.emplace(key, std::move(average)).first->second;
    };

    std::vector<std::uint64_t> parameter_indices, buffer_indices;
    for (const Parameter& parameter : event.parameters()) {
      const std::string name(parameter.name());
      Tensor average = pair(parameter, std::string(parameter_key) + name);
      parameter_indices.push_back(parameter.index());
      const std::string its_mask = std::string(mask_key) + name;
      if (Tensor mask = parameter.mask(); mask.defined()) {
        masks.emplace(its_mask, std::move(mask));
      } else if (const auto last = masks_.find(its_mask);
                 last != masks_.end() && last->second.sizes() == average.sizes()) {
        Tensor here = average.clone();  // a loaded mask may be on another device
        average.mul_(here.copy_(last->second));
      }
    }
    if (use_buffers_) {
      for (const Parameter& buffer : event.buffers()) {
        pair(buffer, std::string(buffer_key) + std::string(buffer.name()));
        buffer_indices.push_back(buffer.index());
      }
    }

    averages_ = std::move(averages);
    masks_ = std::move(masks);
    all_averages_ = std::move(all_averages);
    floating_live_ = live_tensors(floating);
    floating_average_ = std::move(floating_average);
    other_live_ = live_tensors(other);
    other_average_ = std::move(other_average);
    parameter_indices_ = std::move(parameter_indices);
    buffer_indices_ = std::move(buffer_indices);
    generation_ = generation;
  }

  double decay_;
  std::int64_t every_n_steps_;  // optimizer steps
  std::int64_t start_step_;     // optimizer steps
  bool use_buffers_;
  bool warm_up_;
  bool copy_at_end_;

  std::int64_t updates_ = 0;
  std::int64_t seen_steps_ = 0;               // of which is_due_after was asked
  std::optional<std::int64_t> loaded_steps_;  // the same, of the run that is resumed
  std::int64_t latest_update_step_ = 0;       // global_step after which the last update was made
  std::map<std::string, Tensor> averages_;    // by key in the state
  std::map<std::string, Tensor> masks_;       // live, or as loaded; by key in the state

  // The pairing with the model, made by follow_model for one generation of it.
  std::optional<std::uint64_t> generation_;
  TensorList all_averages_;  // of parameters, then of buffers, in the model's order
  TensorList floating_live_, floating_average_;
  TensorList other_live_, other_average_;  // integers: copied, not averaged
  std::vector<std::uint64_t> parameter_indices_, buffer_indices_;
  Lease lease_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<Ema>("ema"))
