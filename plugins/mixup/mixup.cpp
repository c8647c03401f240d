// mixup: trains on mixtures of samples (H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018).
//
// Before each training step, with share ~ Beta(alpha, alpha) and a random order of the batch:
//
//   input  = share * input  + (1 - share) * input[order]
//   target = share * target + (1 - share) * target[order]
//
// Targets that are class indices [N] become probabilities [N, num_classes] first, which cross entropy
// takes in their place; floating-point targets are mixed as they are. Validation and tests see the data
// as they are, and so does the data set. Batches that can't be mixed are left alone, with a warning. The
// random numbers are the plugin's own: they don't change the training's, begin with the trainer's seed,
// and a training that resumes draws on.
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class Mixup final : public Callback {
 public:
  explicit Mixup(const Params& params)
      : alpha_(params.get<double>("alpha")),
        num_classes_(params.find<std::int64_t>("num_classes")),
        input_(static_cast<std::size_t>(params.get<std::int64_t>("input"))),
        target_(static_cast<std::size_t>(params.get<std::int64_t>("target"))) {
    if (input_ == target_) {
      throw Error("input and target are both " + std::to_string(input_) +
                  "; they are the numbers of two tensors of the batch, from 0");
    }
  }

  void on_train_batch_start(TrainBatchStart& event) override {
    Batch batch = event.batch();
    if (const char* reason = why_not(batch)) {
      event.logger().warning_once(reason, std::string("batches are not mixed: ") + reason);
      return;
    }
    const Tensor input = batch[input_];
    const Tensor target = probabilities(batch[target_], input);
    const double share = draw_share(event);
    const Tensor order = draw_order(input);
    batch.replace(input_, mixed(input, order, share));
    batch.replace(target_, mixed(target, order, share));
  }

 private:
  // Of Beta(alpha, alpha), which is the first part of a Dirichlet distribution of two.
  double draw_share(const TrainBatchStart& event) const {
    const double share =
        event.tensor({alpha_, alpha_}).call("aten::_sample_dirichlet", "").to_vector()[0];
    return std::isfinite(share) ? share : 1.0;  // of a tiny alpha, both parts may be 0
  }

  // A random order of the samples, on their device.
  static Tensor draw_order(const Tensor& input) {
    const std::vector<std::int64_t> rows = {input.sizes()[0], -1};
    const Tensor any_column =
        input.call("aten::reshape", "", rows).call("aten::select", "int", 1, 0);
    return any_column.call("aten::rand_like", "").call("aten::argsort", "");
  }

  static Tensor mixed(const Tensor& tensor, const Tensor& order, double share) {
    const Tensor others = tensor.call("aten::index_select", "", 0, order);
    return others.call("aten::lerp", "Scalar", tensor, share);
  }

  // nullptr: the batch can be mixed.
  const char* why_not(const Batch& batch) const {
    if (batch.size() <= input_ || batch.size() <= target_) {
      return "they have fewer tensors; input and target are the numbers of two of them, from 0";
    }
    const Tensor input = batch[input_];
    if (!input.is_floating_point() || input.dim() == 0 || input.numel() == 0) {
      return "the input is not of floating-point numbers, a row for each sample";
    }
    const Tensor target = batch[target_];
    if (target.dim() == 0 || target.sizes()[0] != input.sizes()[0]) {
      return "the target doesn't have a row for each sample of the input";
    }
    if (target.is_floating_point()) return nullptr;
    if (target.dtype() != Dtype::i64 || target.dim() != 1) {
      return "the target is neither of floating-point numbers nor a list of class indices";
    }
    if (!num_classes_)
      return "the targets are class indices; set num_classes to how many there are";
    if (target.call("aten::max", "").item() >= static_cast<double>(*num_classes_)) {
      return "a class index is not below num_classes";
    }
    return nullptr;
  }

  Tensor probabilities(const Tensor& target, const Tensor& input) const {
    if (target.is_floating_point()) return target;
    // A negative one stands for no class (cross entropy's ignore_index is -100): a row of zeros.
    const Tensor any = target.call("aten::clamp_min", "", 0);
    const Tensor is_known = target.call("aten::ge", "Scalar", 0).call("aten::unsqueeze", "", 1);
    return any.call("aten::one_hot", "", *num_classes_)
        .call("aten::mul", "Tensor", is_known)
        .to(input.dtype());
  }

  double alpha_;
  std::optional<std::int64_t> num_classes_;
  std::size_t input_;  // the tensor's number in the batch
  std::size_t target_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<Mixup>("mixup"))
