// grad_norm: logs the norm of the gradients, in total and of each parameter, as Lightning's
// utilities.grad_norm computes them:
//
//   grad_norm/<parameter>   (sum over elements |g|^p)^(1/p); p = inf: the largest |g|
//   grad_norm/total         the p-norm of these, which is the p-norm over all elements together
//
// Taken right before the optimizer step, of the gradients of the whole accumulation window, before
// they are clipped. They stay on their device until a logger wants the numbers. With several
// optimizers the metrics of all but the first are called grad_norm/optimizer_<i>/...
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class GradNorm final : public Callback {
 public:
  explicit GradNorm(const Params& params)
      : norm_type_(params.get("norm_type", 2.0)),
        every_n_steps_(params.get("every_n_steps", 0)),
        per_parameter_(params.get("per_parameter", true)) {}

  void on_before_optimizer_step(OptimizerEvent& event) override {
    const bool is_due =
        every_n_steps_ == 0 ? event.is_logging_step() : event.global_step() % every_n_steps_ == 0;
    if (!is_due) return;
    if (!event.gradients_are_unscaled()) {
      event.logger().warning_once("scaled",
                                  "gradients are scaled here; their norms are not logged");
      return;
    }

    TensorList gradients;
    std::vector<std::string> names;
    for (const Parameter& parameter : event.parameters()) {
      const Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      Tensor values = gradient.stored_values();
      if (values.numel() == 0) continue;  // has no largest magnitude
      gradients.push_back(std::move(values));
      names.emplace_back(parameter.name());
    }
    if (gradients.empty()) return;

    std::string prefix = "grad_norm/";
    if (event.optimizer_idx() > 0) {
      prefix += "optimizer_" + std::to_string(event.optimizer_idx()) + "/";
    }
    const TensorList norms = foreach_norm(gradients, norm_type_);
    event.log(prefix + "total", stack(norms).norm(norm_type_));
    for (std::size_t i = 0; per_parameter_ && i < names.size(); ++i) {
      event.log(prefix + names[i], norms[i]);
    }
  }

 private:
  double norm_type_;            // p
  std::int64_t every_n_steps_;  // optimizer steps; 0: with the loggers
  bool per_parameter_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<GradNorm>("grad_norm"))
