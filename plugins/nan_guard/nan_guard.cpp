// nan_guard: stops the run when the loss or a gradient is no longer finite, and names the first
// parameter concerned.
//
// The loss is checked after each batch. Gradients are checked before the optimizer step, once they
// have their true scale. Those on the CPU are read where they lie; for those on other devices one
// operator computes the infinity norm (which keeps NaN and cannot overflow) of each, and one transfer
// fetches all of them. The reason of the stop names the first parameter, in the model's order, whose
// gradient is not finite.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

const char* in_words(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "infinite" : "minus infinity";
}

class NanGuard final : public Callback {
 public:
  explicit NanGuard(const Params& params)
      : patience_(params.get("patience", 1)),
        every_n_steps_(params.get("every_n_steps", 1)),
        check_gradients_(params.get("check_gradients", true)),
        skip_steps_(params.get("skip_steps", false)) {}

  void setup(StageEvent& event) override {
    if (event.run_kind() != RunKind::fit || event.global_step() > 0) return;
    seen_ = 0;  // of another training
  }

  void on_before_optimizer_step(OptimizerEvent& event) override {
    if (!check_gradients_ || event.global_step() % every_n_steps_ != 0) return;
    if (!event.gradients_are_unscaled())
      return;  // infinities of a scaled loss are its scaler's business
    gradients_checked_ = true;
    gradient_trouble_ = first_trouble(event);
    if (skip_steps_ && !gradient_trouble_.empty()) event.request_skip_step(gradient_trouble_);
  }

  void on_train_batch_end(TrainBatchEnd& event) override {
    std::string trouble = std::move(gradient_trouble_);
    bool checked = gradients_checked_;
    gradient_trouble_.clear();
    gradients_checked_ = false;

    if (event.batch_idx() % every_n_steps_ == 0) {
      if (const auto loss = event.loss_if_any()) {
        checked = true;
        if (!std::isfinite(*loss)) {
          const std::string gradient = trouble.empty() ? "" : "; " + trouble;
          trouble = std::string("the loss is ") + in_words(*loss) + gradient;
        }
      }
    }
    if (!checked) return;
    seen_ = trouble.empty() ? 0 : seen_ + 1;
    if (seen_ == 0) return;
    trouble += " (epoch " + std::to_string(event.current_epoch()) + ", batch " +
               std::to_string(event.batch_idx()) + ", step " + std::to_string(event.global_step()) +
               ")";
    if (seen_ >= patience_) {
      event.request_stop(trouble);
    } else {
      event.log_warning(trouble + "; " + std::to_string(seen_) + " of " +
                        std::to_string(patience_) + " such batches until the run stops");
    }
  }

  void save_state(StateWriter& state) const override { state.put("seen", seen_); }
  void load_state(const StateReader& state) override { seen_ = state.get<std::int64_t>("seen"); }

 private:
  // A parameter, and the largest magnitude of its gradient: NaN if any element is.
  struct Trouble {
    std::size_t parameter;
    double largest;
  };
  static constexpr double kLargest = std::numeric_limits<double>::infinity();  // the norm's p

  // Which gradient is not finite, for people; empty when all are.
  static std::string first_trouble(const Services& event) {
    std::vector<Trouble> troubles;
    TensorList elsewhere;  // on other devices
    std::vector<std::size_t> indices;
    const ParameterRange parameters = event.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Tensor values = parameters.grad(i);
      if (!values.defined() || values.all_finite_in_memory().value_or(false)) continue;
      if (!values.is_strided()) values = values.stored_values();
      if (values.is_cpu()) {
        if (!values.all_finite()) troubles.push_back({i, values.norm(kLargest).item()});
      } else if (values.numel() > 0) {
        elsewhere.push_back(std::move(values));
        indices.push_back(i);
      }
    }
    if (!elsewhere.empty()) {
      const auto largest = stack(foreach_norm(elsewhere, kLargest)).to_vector();
      for (std::size_t i = 0; i < largest.size(); ++i) {
        if (!std::isfinite(largest[i])) troubles.push_back({indices[i], largest[i]});
      }
    }
    if (troubles.empty()) return {};
    std::sort(troubles.begin(), troubles.end(),
              [](const Trouble& a, const Trouble& b) { return a.parameter < b.parameter; });
    std::string text = "the gradient of " +
                       std::string(parameters[troubles.front().parameter].name()) + " has " +
                       (std::isnan(troubles.front().largest) ? "NaN" : "infinite") + " elements";
    const std::size_t others = troubles.size() - 1;
    if (others > 0) text += ", and those of " + std::to_string(others) + " later parameters too";
    return text;
  }

  std::int64_t patience_;       // consecutive checked batches with trouble before the run stops
  std::int64_t every_n_steps_;  // batches (loss), optimizer steps (gradients)
  bool check_gradients_;
  bool skip_steps_;
  std::int64_t seen_ = 0;           // consecutive checked batches with trouble so far
  bool gradients_checked_ = false;  // since the last batch ended
  std::string gradient_trouble_;    // found since the last batch ended
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<NanGuard>("nan_guard"))
