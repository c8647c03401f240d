#include "grapnel/callbacks/ema_weight_averaging.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "grapnel/base/error.h"

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

void check_not_negative(const char* name, std::optional<int64_t> value) {
  if (!value.has_value() || *value >= 0) return;
  throw ConfigError(
      {}, fmt::format("EMAWeightAveraging: {} is {}; accepted are 0 and more", name, *value), name);
}

}  // namespace

EMAWeightAveraging::EMAWeightAveraging(EMAWeightAveragingOptions options)
    : WeightAveraging(ema_base_options(options)), options_(std::move(options)) {
  if (!(options_.decay >= 0.0 && options_.decay <= 1.0)) {
    throw ConfigError(
        {}, fmt::format("EMAWeightAveraging: decay is {}; it must be from 0 to 1", options_.decay),
        "decay");
  }
  check_not_negative("update_every_n_steps", options_.update_every_n_steps);
  check_not_negative("update_starting_at_step", options_.update_starting_at_step);
  check_not_negative("update_starting_at_epoch", options_.update_starting_at_epoch);
}

const ParameterTable& EMAWeightAveraging::parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "ema_weight_averaging",
      "Keeps an exponential moving average of the weights and ends with it.",
      {string("device").nullable().doc("Where to keep the average; null: with the model."),
       boolean("use_buffers", true).doc("Average buffers (running statistics) too."),
       number("decay", 0.999)
           .at_least(0)
           .at_most(1)
           .doc("Share of the average that stays at an update."),
       integer("update_every_n_steps", 1)
           .at_least(0)
           .unit("optimizer steps")
           .doc("Update after every so many; 0: only after epochs."),
       integer("update_starting_at_step")
           .nullable()
           .at_least(0)
           .unit("optimizer steps")
           .doc("First step, from 0, after which to update; null: the first."),
       integer("update_starting_at_epoch")
           .nullable()
           .at_least(0)
           .unit("epochs")
           .doc("Update after epochs too, from this one, counted from 0.")});
  return table;
}

std::shared_ptr<EMAWeightAveraging> EMAWeightAveraging::from(const Parameters& p) {
  return std::make_shared<EMAWeightAveraging>(EMAWeightAveragingOptions{
      .device = p.get<std::optional<std::string>>("device").value_or(""),
      .use_buffers = p.get<bool>("use_buffers"),
      .decay = p.get<double>("decay"),
      .update_every_n_steps = p.get<int64_t>("update_every_n_steps"),
      .update_starting_at_step = p.get<std::optional<int64_t>>("update_starting_at_step"),
      .update_starting_at_epoch = p.get<std::optional<int64_t>>("update_starting_at_epoch")});
}

bool EMAWeightAveraging::should_update(std::optional<int64_t> step_idx,
                                       std::optional<int64_t> epoch_idx) {
  if (step_idx.has_value()) {
    const int64_t every = options_.update_every_n_steps;
    return *step_idx >= options_.update_starting_at_step.value_or(0) && every > 0 &&
           *step_idx % every == 0;
  }
  return epoch_idx.has_value() && options_.update_starting_at_epoch.has_value() &&
         *epoch_idx >= *options_.update_starting_at_epoch;
}

}  // namespace grapnel
