// warmup: raises the learning rates at the start of a training, on top of its own schedulers.
//
// Optimizer step n, from 0, has the factor s + (1 - s) f((n + 1) / steps) on the rates of all groups, with
// s = start_factor and
//
//   linear   f(x) = x
//   cosine   f(x) = (1 - cos(pi x)) / 2
//
// so that the last of the `steps` steps, and all after it, have the whole rate. Large rates at the start
// throw weights and the optimizer's averages off (P. Goyal et al., "Accurate, Large Minibatch SGD",
// 2017). Steps are counted over the whole training: one that resumes continues where it was, and
// a fit that trains a model further has no second warm-up.
#include <cmath>
#include <cstdint>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class Warmup final : public Callback {
 public:
  explicit Warmup(const Params& params)
      : steps_(params.get<std::int64_t>("steps")),
        is_cosine_(params.get("shape", "linear") == "cosine"),
        start_factor_(params.get("start_factor", 0.0)) {}

  void on_train_start(Event& event) override { set_factor(event); }
  // The next step's, so that monitors show it at the start of the batch.
  void on_after_optimizer_step(OptimizerEvent& event) override {
    if (event.global_step() <= steps_) set_factor(event);
  }

 private:
  void set_factor(const Event& event) const {
    event.schedule().set_factor(factor_of(event.global_step()));
  }

  double factor_of(std::int64_t step) const {
    if (step + 1 >= steps_) return 1.0;
    const double part = static_cast<double>(step + 1) / static_cast<double>(steps_);
    constexpr double kPi = 3.14159265358979323846;
    const double raised = is_cosine_ ? (1 - std::cos(kPi * part)) / 2 : part;
    return start_factor_ + (1 - start_factor_) * raised;
  }

  std::int64_t steps_;
  bool is_cosine_;
  double start_factor_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<Warmup>("warmup"))
