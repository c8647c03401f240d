// weight_penalty: adds penalties on the weights to the loss, so that they take part in its gradients.
//
//   loss + l1 * sum |w| + l2 / 2 * sum w^2
//
// over the elements of all trainable parameters with at least min_dim dimensions: with 2, biases and
// the parameters of normalizations are left out. Unlike an optimizer's weight_decay, the l1 part makes
// weights zero, and both are part of the gradients that clipping and moments see. The loss that is
// logged stays without them; weight_penalty/<part> is logged next to it, as often as the loggers write.
// Of a pruned parameter the elements that its mask keeps count. A penalty that isn't finite is left out,
// with a warning: what becomes of a training whose weights have diverged, its loss and nan_guard decide.
// In manual optimization every manual_backward of a batch gets the whole penalty. An instance with a label
// logs weight_penalty_<label>/<part>.
#include <cmath>
#include <cstdint>
#include <string>

#include <grapnel/plugin.hpp>

#include "../shared/instance_name.h"

namespace {

using namespace grapnel::plugin;

class WeightPenalty final : public Callback {
 public:
  explicit WeightPenalty(const Params& params)
      : l1_(params.get("l1", 0.0)),
        l2_(params.get("l2", 1e-4)),
        min_dim_(params.get("min_dim", 1)) {
    if (l1_ == 0 && l2_ == 0)
      throw Error("l1 and l2 are 0: there is nothing to add; set one of them");
  }

  void init(Services& services) override {
    name_ = instance::named("weight_penalty", services.plugin_info().label);
  }

  void on_before_backward(BackwardEvent& event) override {
    Tensor l1;
    Tensor l2;
    Tensor sum;
    {
      const Recording recording = event.record();
      for (const Parameter& parameter : event.parameters()) {
        if (!parameter.trainable() || parameter.tensor().dim() < min_dim_) continue;
        const Tensor mask = parameter.mask();
        const Tensor weight = mask.defined() ? parameter.tensor().call("aten::mul", "Tensor", mask)
                                             : parameter.tensor();
        if (l1_ > 0) add(l1, weight.abs().sum());
        if (l2_ > 0) add(l2, weight.call("aten::square", "").sum());
      }
      if (l1.defined()) l1 = l1.call("aten::mul", "Scalar", l1_);
      if (l2.defined()) l2 = l2.call("aten::mul", "Scalar", l2_ / 2);
      if (l1.defined()) add(sum, l1);
      if (l2.defined()) add(sum, l2);
    }
    if (sum.defined()) return use(event, sum, l1, l2);
    event.logger().warning_once(
        "none", "nothing is added to the loss: no trainable parameter has min_dim=" +
                    std::to_string(min_dim_) + " dimensions or more");
  }

 private:
  static void add(Tensor& sum, const Tensor& part) {
    sum = sum.defined() ? sum.call("aten::add", "Tensor", part) : part;
  }

  void use(const BackwardEvent& event, const Tensor& sum, const Tensor& l1,
           const Tensor& l2) const {
    const double value = sum.item();
    if (!std::isfinite(value)) {
      event.logger().warning_once("not finite",
                                  "the penalty is not finite, as weights are not or are too large: "
                                  "it is left out of such batches");
      return;
    }
    event.add_term(name_, sum);
    if (!event.is_logging_step()) return;
    if (l1.defined()) event.log(name_ + "/l1", l2.defined() ? l1.item() : value);
    if (l2.defined()) event.log(name_ + "/l2", l1.defined() ? l2.item() : value);
  }

  double l1_;
  double l2_;
  std::int64_t min_dim_;
  std::string name_;  // of its term, and of what it logs
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<WeightPenalty>("weight_penalty"))
