// The plugin of the benchmarks, as an author writes it: counts, reads the loss or the state of the run,
// or wants nothing of the kind.
#include <cstdint>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class Counter final : public Callback {
 public:
  explicit Counter(const Params&) {}
  void on_train_batch_end(TrainBatchEnd&) override { ++batches_; }

 private:
  std::int64_t batches_ = 0;
};

class Loss final : public Callback {
 public:
  explicit Loss(const Params&) {}
  void on_train_batch_end(TrainBatchEnd& event) override {
    sum_ += event.loss_if_any().value_or(0);
  }

 private:
  double sum_ = 0;
};

class Step final : public Callback {
 public:
  explicit Step(const Params&) {}
  void on_train_batch_end(TrainBatchEnd& event) override { steps_ += event.global_step(); }

 private:
  std::int64_t steps_ = 0;
};

class Bystander final : public Callback {
 public:
  explicit Bystander(const Params&) {}
  void on_exception(ExceptionEvent&) override {}
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<Counter>("counter"),
               grapnel::plugin::callback<Loss>("loss"), grapnel::plugin::callback<Step>("step"),
               grapnel::plugin::callback<Bystander>("bystander"))
