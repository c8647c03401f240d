#include <grapnel/plugin.hpp>

// Stops the training when the loss is no longer a number.
class MyPlugin final : public grapnel::plugin::Callback {
 public:
  explicit MyPlugin(const Params& params) : patience_(params.get("patience", 1)) {}

  // Every hook is listed in <grapnel/hooks.def>; what an event offers, in
  // <grapnel/plugin/services.hpp>.
  void on_train_batch_end(TrainBatchEnd& event) override {
    seen_ = std::isfinite(event.loss()) ? 0 : seen_ + 1;
    if (seen_ >= patience_) event.request_stop("loss is not finite");
  }

  // What has to survive in a checkpoint. Leave both out when there is nothing.
  void save_state(StateWriter& state) const override { state.put("seen", seen_); }
  void load_state(const StateReader& state) override { seen_ = state.get<std::int64_t>("seen"); }

 private:
  std::int64_t patience_;  // consecutive batches without a finite loss before the run stops
  std::int64_t seen_ = 0;
};

GRAPNEL_PLUGIN(grapnel::plugin::callback<MyPlugin>("my_plugin"))
