// probe_batch: keeps the first samples of the first training batch, and runs the model on them before
// that batch and after each epoch, in eval mode and without gradients:
//
//   probe/change        |outputs - those of the epoch before| / |those of the epoch before|
//   probe/output_norm   root of the mean square of the outputs
//
// Metrics on other data each time can't tell a model that has stopped moving from one that moves in
// circles; a change that doesn't shrink while the learning rate does is a sign of the latter. Samples
// and outputs are in checkpoints, so a resumed run goes on with the same ones. The model must take one
// tensor and return one.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class ProbeBatch final : public Callback {
 public:
  explicit ProbeBatch(const Params& params)
      : samples_(params.get<std::int64_t>("samples")),
        input_(static_cast<std::size_t>(params.get<std::int64_t>("input"))) {}

  void on_train_batch_start(TrainBatchStart& event) override {
    if (std::exchange(has_seen_batch_, true) || probe_) return;
    const Batch batch = event.batch();
    if (batch.size() <= input_) {
      event.log_warning("batches have no tensor number " + std::to_string(input_) +
                        "; there is no probe: set input to the one that the model takes");
      return;
    }
    probe_ = batch[input_].call("aten::slice", "Tensor", 0, 0, samples_, 1).clone();
    outputs_ = event.forward(*probe_).to(Dtype::f32).clone();
  }

  void on_train_epoch_end(Event& event) override {
    if (!probe_) return;
    const Tensor now = event.forward(*probe_).to(Dtype::f32);
    const double norm = now.norm().item();
    event.log("probe/output_norm", norm / std::sqrt(static_cast<double>(now.numel())));
    if (outputs_) {
      const Tensor before =
          outputs_->call("aten::type_as", "", now);  // of a checkpoint: its device
      const double size = before.norm().item();
      const double change = now.call("aten::sub", "Tensor", before).norm().item();
      if (size > 0) event.log("probe/change", change / size);
    }
    outputs_ = now.clone();
  }

  void save_state(StateWriter& state) const override {
    if (!probe_ || !outputs_) return;
    state.put("samples", *probe_);
    state.put("outputs", *outputs_);
  }
  void load_state(const StateReader& state) override {
    probe_ = state.find<Tensor>("samples");
    outputs_ = state.find<Tensor>("outputs");
  }

 private:
  std::int64_t samples_;
  std::size_t input_;
  bool has_seen_batch_ = false;
  std::optional<Tensor> probe_;
  std::optional<Tensor> outputs_;  // of the epoch before
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<ProbeBatch>("probe_batch"))
