// For `plugin_bench --together`: a plugin that uses every extension of a step once in each of its steps.
// Requests, states, leases and sinks are not for every step.
#include <cstdint>
#include <optional>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class EveryExtension final : public Callback {
 public:
  explicit EveryExtension(const Params&) {}

  void init(Services& services) override { thread_.emplace(services.training_thread()); }

  void on_train_batch_start(TrainBatchStart& event) override {
    elements_ += static_cast<std::int64_t>(event.batch().shape(0).sizes.size());  // batch
    if (!thread_->post([this](Services&) { ++posted_; })) ++lost_;                // thread
    texts_ += event.plugin_info().id.size();                                      // plugin
    numbers_ += event.timing().seconds(Phase::forward).value_or(0);               // timing
    if (const auto memory = event.device().memory()) ++numbers_;                  // device
    numbers_ += static_cast<double>(event.distributed().rank());                  // distributed
  }

  void on_before_backward(BackwardEvent& event) override {
    const Recording recording = event.record();  // autograd
    event.add_term("every/nothing", event.step_loss().call("aten::mul", "Scalar", 0.0));
  }

  void on_after_optimizer_step(OptimizerEvent& event) override {
    event.schedule().set_factor(1.0);         // schedule
    numbers_ += event.schedule().rate(0, 0);  // optimizers behind it
  }

  void on_train_batch_end(TrainBatchEnd& event) override {
    numbers_ += event.loss_if_any().value_or(0);                 // outputs
    numbers_ += static_cast<double>(event.global_step());        // trainer
    event.log("every/steps", numbers_, {.on_step = true});       // metrics
    const Tensor copy = event.parameters()[0].tensor().clone();  // module, tensors
    numbers_ += static_cast<double>(copy.abs().dim());           // operators
  }

 private:
  std::optional<TrainingThread> thread_;
  double numbers_ = 0;
  std::int64_t elements_ = 0;
  std::int64_t posted_ = 0;
  std::int64_t lost_ = 0;
  std::size_t texts_ = 0;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<EveryExtension>("every_extension"))
