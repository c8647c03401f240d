#include <grapnel/plugin.hpp>

// Stops the training when the loss exceeds a limit, or is NaN.
class LossLimit final : public grapnel::plugin::Callback {
 public:
  explicit LossLimit(const Params& params) : limit_(params.get("limit", 1e6)) {}

  void on_train_batch_end(TrainBatchEnd& event) override {
    const auto loss = event.loss_if_any();
    if (loss && !(*loss <= limit_)) event.request_stop("the loss exceeds the limit");
  }

 private:
  double limit_;  // the largest loss that is still acceptable
};

GRAPNEL_PLUGIN(grapnel::plugin::callback<LossLimit>("loss_limit"))
