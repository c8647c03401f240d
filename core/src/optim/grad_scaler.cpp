#include "grapnel/grad_scaler.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_amp_update_scale.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <vector>

#include "grapnel/base/error.h"

namespace grapnel {

namespace {

// What is wrong with the options; empty: nothing.
std::string grad_scaler_problem(const GradScalerOptions& options) {
  if (!(options.init_scale > 0) || !std::isfinite(options.init_scale)) {
    return fmt::format("a scale of {} is not possible; it must be above 0", options.init_scale);
  }
  if (!(options.growth_factor > 1)) {
    return fmt::format("growth_factor={} must be above 1", options.growth_factor);
  }
  if (!(options.backoff_factor > 0 && options.backoff_factor < 1)) {
    return fmt::format("backoff_factor={} must be between 0 and 1", options.backoff_factor);
  }
  if (options.growth_interval < 1) {
    return fmt::format("growth_interval={} must be at least 1", options.growth_interval);
  }
  return {};
}

}  // namespace

GradScaler::GradScaler(const at::Device& device, const GradScalerOptions& options)
    : options_(options) {
  if (const std::string problem = grad_scaler_problem(options); !problem.empty()) {
    throw ConfigError({}, "GradScaler: " + problem);
  }
  const auto number = at::TensorOptions().dtype(at::kFloat).device(device);
  scale_ = at::full({}, options.init_scale, number);
  growth_tracker_ = at::zeros({}, number.dtype(at::kInt));
  found_inf_ = at::zeros({}, number);
}

at::Tensor GradScaler::scale(const at::Tensor& loss) const {
  return loss * scale_;
}

void GradScaler::unscale(Optimizer& optimizer) {
  std::map<at::ScalarType, std::vector<at::Tensor>> by_type;
  for (const ParamGroup& group : optimizer.groups()) {
    for (const at::Tensor& param : group.params) {
      if (!param.grad().defined()) continue;
      if (param.grad().scalar_type() == at::kHalf) {
        throw ConfigError::of(
            "precision",
            "{} has float16 parameters, whose gradients have no room to be unscaled; keep the "
            "parameters in float32 with precision=\"16-mixed\"",
            optimizer.type_name());
      }
      by_type[param.grad().scalar_type()].push_back(param.grad());
    }
  }
  at::NoGradGuard no_grad;
  found_inf_.zero_();
  // Its reciprocal in double: the scale may be one whose reciprocal float32 can't hold well.
  const at::Tensor inverse = scale_.to(at::kDouble).reciprocal().to(at::kFloat);
  for (auto& [type, grads] : by_type) {
    at::_amp_foreach_non_finite_check_and_unscale_(grads, found_inf_, inverse);
  }
}

bool GradScaler::found_inf() const {
  return found_inf_.item<float>() != 0.0F;
}

void GradScaler::update() {
  at::NoGradGuard no_grad;
  at::_amp_update_scale_(scale_, growth_tracker_, found_inf_, options_.growth_factor,
                         options_.backoff_factor, options_.growth_interval);
  found_inf_.zero_();
}

double GradScaler::current_scale() const {
  return scale_.item<double>();
}

StateDict GradScaler::state_dict() const {
  return {{"scale", current_scale()},
          {"growth_factor", options_.growth_factor},
          {"backoff_factor", options_.backoff_factor},
          {"growth_interval", options_.growth_interval},
          {"growth_tracker", growth_tracker_.item<int64_t>()}};
}

void GradScaler::load_state_dict(const StateDict& state) {
  const GradScalerOptions loaded{.init_scale = state.at("scale").to_double(),
                                 .growth_factor = state.at("growth_factor").to_double(),
                                 .backoff_factor = state.at("backoff_factor").to_double(),
                                 .growth_interval = state.at("growth_interval").to_int()};
  const int64_t tracker = state.at("growth_tracker").to_int();
  std::string problem = grad_scaler_problem(loaded);
  if (problem.empty() && tracker < 0)
    problem = fmt::format("growth_tracker={} is below 0", tracker);
  if (!problem.empty()) throw CheckpointError({}, "the state of the gradient scaler: " + problem);
  options_ = loaded;
  scale_.fill_(loaded.init_scale);
  growth_tracker_.fill_(tracker);
  found_inf_.zero_();
}

}  // namespace grapnel
