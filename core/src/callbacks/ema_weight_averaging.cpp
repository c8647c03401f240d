#include "grapnel/callbacks/ema_weight_averaging.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/every_n.h"

namespace grapnel {

namespace {

WeightAveragingOptions ema_base_options(const EMAWeightAveragingOptions& options) {
  return {.device = options.device,
          .use_buffers = options.use_buffers,
          .avg_fn = [decay = options.decay](const at::Tensor& average, const at::Tensor& model,
                                            int64_t) -> at::Tensor {
            return average * decay + model * (1 - decay);
          }};
}

}  // namespace

EMAWeightAveraging::EMAWeightAveraging(EMAWeightAveragingOptions options)
    : WeightAveraging(ema_base_options(options)), options_(std::move(options)) {
  options_table().check(options_, "EMAWeightAveraging");
}

const OptionsTable<EMAWeightAveragingOptions>& EMAWeightAveraging::options_table() {
  using O = EMAWeightAveragingOptions;
  static const OptionsTable<O> table(
      "ema_weight_averaging",
      "Keeps an exponential moving average of the weights and ends with it.",
      {option("device", &O::device)
           .null_when_empty()
           .doc("Where to keep the average; null: with the model."),
       option("use_buffers", &O::use_buffers).doc("Average buffers (running statistics) too."),
       option("decay", &O::decay)
           .at_least(0)
           .at_most(1)
           .doc("Share of the average that stays at an update."),
       option("update_every_n_steps", &O::update_every_n_steps)
           .at_least(0)
           .unit("optimizer steps")
           .doc("Update after every so many; 0: only after epochs."),
       option("update_starting_at_step", &O::update_starting_at_step)
           .at_least(0)
           .unit("optimizer steps")
           .doc("First step, from 0, after which to update; null: the first."),
       option("update_starting_at_epoch", &O::update_starting_at_epoch)
           .at_least(0)
           .unit("epochs")
           .doc("Update after epochs too, from this one, counted from 0.")});
  return table;
}

void EMAWeightAveraging::setup(StageEvent& event) {
  if (options_.update_every_n_steps == 0 && !options_.update_starting_at_epoch) {
    throw ConfigError::of("update_every_n_steps",
                          "{}: update_every_n_steps=0 updates the average after epochs alone, and "
                          "update_starting_at_epoch is null: it would never be updated. Set "
                          "update_starting_at_epoch to 0 or later, or update_every_n_steps to at "
                          "least 1",
                          type_name());
  }
  WeightAveraging::setup(event);
}

bool EMAWeightAveraging::should_update(std::optional<int64_t> step_idx,
                                       std::optional<int64_t> epoch_idx) {
  if (step_idx.has_value()) {
    const int64_t every = options_.update_every_n_steps;
    if (every == 0 || *step_idx < options_.update_starting_at_step.value_or(0)) return false;
    const int64_t latest = latest_update_step() - 1;
    return latest < 0 ? *step_idx % every == 0 : EveryN(latest).passed(*step_idx, every);
  }
  return epoch_idx.has_value() && options_.update_starting_at_epoch.has_value() &&
         *epoch_idx >= *options_.update_starting_at_epoch;
}

}  // namespace grapnel
