// Its hooks throw: at the end of a training batch a std::exception, at the end of a validation batch
// something else.
#include <stdexcept>

#include <grapnel/plugin.hpp>

class Thrower final : public grapnel::plugin::Callback {
 public:
  void on_train_batch_end(TrainBatchEnd& event) override {
    throw std::out_of_range("batch " + std::to_string(event.batch_idx()) + " is out of range");
  }
  void on_validation_batch_end(EvalBatchEnd&) override { throw 42; }
};

GRAPNEL_PLUGIN(grapnel::plugin::callback<Thrower>(HOSTILE_NAME))
