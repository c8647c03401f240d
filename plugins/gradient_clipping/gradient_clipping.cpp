// gradient_clipping: bounds the gradients before each optimizer step, and adds noise to them if wanted.
//
//   norm    g *= min(1, clip_val / (total + 1e-6)), total: the p-norm over the elements of all gradients
//           (R. Pascanu et al., "On the difficulty of training Recurrent Neural Networks", 2013)
//   value   g = clamp(g, -clip_val, clip_val)
//   noise   then g += N(0, noise^2 / (1 + step)^noise_decay) for each element
//           (A. Neelakantan et al., "Adding Gradient Noise Improves Learning for Very Deep Networks", 2015;
//           there noise_decay is 0.55)
//
// Taken of the gradients of the whole accumulation window, with their true scale: steps that an overflow
// under loss scaling skips are left alone. The trainer's own clipping comes afterwards. A gradient with
// NaN or infinite elements makes the others NaN under "norm"; nan_guard finds it. No number leaves
// the device. The noise comes from the plugin's own random numbers: it doesn't change the training's,
// begins with the trainer's seed, and a training that resumes draws on. Sparse gradients can't be
// clipped by value, and get no noise.
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class GradientClipping final : public Callback {
 public:
  explicit GradientClipping(const Params& params)
      : clip_val_(params.find<double>("clip_val")),
        by_norm_(params.get("algorithm", "norm") == "norm"),
        norm_type_(params.get("norm_type", 2.0)),
        noise_(params.get("noise", 0.0)),
        noise_decay_(params.get("noise_decay", 0.0)) {
    if (!clip_val_ && noise_ == 0) {
      throw Error("clip_val is null and noise is 0: there is nothing to do; set one of them");
    }
  }

  void on_before_optimizer_step(OptimizerEvent& event) override {
    if (!event.gradients_are_unscaled()) return;  // the step is skipped
    TensorList gradients;
    for (const Parameter& parameter : event.parameters()) {
      Tensor gradient = parameter.grad();
      if (gradient.defined() && gradient.numel() > 0) gradients.push_back(std::move(gradient));
    }
    if (gradients.empty()) return;
    if (clip_val_) by_norm_ ? clip_norm(gradients) : clip_values(gradients);
    if (noise_ > 0) add_noise(gradients, event.global_step());
  }

 private:
  void clip_norm(TensorList& gradients) const {
    TensorList values;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      values.push_back(gradients[i].stored_values());
    }
    Tensor share = stack(foreach_norm(values, norm_type_)).norm(norm_type_);
    share.call("aten::add_", "Scalar", 1e-6);
    share.call("aten::reciprocal_", "");
    share.call("aten::mul_", "Scalar", *clip_val_);
    share.call("aten::clamp_max_", "", 1.0);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      gradients[i].call("aten::mul_", "Tensor", share);
    }
  }

  void clip_values(TensorList& gradients) const {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      gradients[i].call("aten::clamp_", "", -*clip_val_, *clip_val_);
    }
  }

  void add_noise(TensorList& gradients, std::int64_t step) const {
    const double deviation = noise_ * std::pow(1 + static_cast<double>(step), -noise_decay_ / 2);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (!gradients[i].is_strided()) continue;
      const Tensor drawn = gradients[i].call("aten::randn_like", "");
      gradients[i].call("aten::add_", "Tensor", drawn, deviation);
    }
  }

  std::optional<double> clip_val_;
  bool by_norm_;
  double norm_type_;  // p
  double noise_;      // its standard deviation at step 0
  double noise_decay_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<GradientClipping>("gradient_clipping"))
