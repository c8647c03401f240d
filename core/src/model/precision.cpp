#include "grapnel/precision.h"

#include <ATen/autocast_mode.h>
#include <c10/core/DefaultDtype.h>

#include <array>

namespace grapnel {

namespace {

struct PrecisionName {
  std::string_view text;
  Precision precision;
};

// The first of each precision is its name.
constexpr std::array kPrecisionNames = {
    PrecisionName{"32-true", Precision::f32_true},
    PrecisionName{"64-true", Precision::f64_true},
    PrecisionName{"bf16-true", Precision::bf16_true},
    PrecisionName{"16-true", Precision::f16_true},
    PrecisionName{"bf16-mixed", Precision::bf16_mixed},
    PrecisionName{"16-mixed", Precision::f16_mixed},
    PrecisionName{"32", Precision::f32_true},
    PrecisionName{"64", Precision::f64_true},
    PrecisionName{"bf16", Precision::bf16_mixed},
    PrecisionName{"16", Precision::f16_mixed},
};

}  // namespace

std::string_view to_string(Precision precision) {
  for (const PrecisionName& name : kPrecisionNames) {
    if (name.precision == precision) return name.text;
  }
  return {};
}

std::optional<Precision> parse_precision(std::string_view text) {
  for (const PrecisionName& name : kPrecisionNames) {
    if (name.text == text) return name.precision;
  }
  return {};
}

const std::vector<std::string>& precision_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const PrecisionName& name : kPrecisionNames) all.emplace_back(name.text);
    return all;
  }();
  return names;
}

std::optional<at::ScalarType> converted_type(Precision precision) {
  switch (precision) {
    case Precision::f64_true:
      return at::kDouble;
    case Precision::bf16_true:
      return at::kBFloat16;
    case Precision::f16_true:
      return at::kHalf;
    default:
      return {};
  }
}

void convert_parameters(StateView& view, Precision precision) {
  const auto type = converted_type(precision);
  if (!type.has_value()) return;
  for (const StateEntry& entry : view.entries()) {
    for (const at::Tensor& tensor : {entry.tensor, entry.mask}) {
      if (!tensor.defined() || !tensor.is_floating_point() || tensor.scalar_type() == *type) {
        continue;
      }
      tensor.mutable_grad().reset();
      tensor.set_data(tensor.detach().to(*type));
    }
  }
}

void convert_input(Batch& batch, Precision precision) {
  const auto type = converted_type(precision);
  if (!type.has_value()) return;
  for (size_t i = 0; i < batch.size(); ++i) {
    const at::Tensor& tensor = batch[i];
    if (tensor.defined() && tensor.is_floating_point()) batch.replace(i, tensor.to(*type));
  }
}

PrecisionScope::PrecisionScope(Precision precision, const at::Device& device) {
  if (const auto type = converted_type(precision)) {
    default_before_ = c10::get_default_dtype_as_scalartype();
    c10::set_default_dtype(c10::scalarTypeToTypeMeta(*type));
    return;
  }
  if (precision == Precision::f32_true) return;
  const at::DeviceType kind = device.type();
  autocast_before_ = {kind, at::autocast::is_autocast_enabled(kind),
                      at::autocast::is_autocast_cache_enabled(),
                      at::autocast::get_autocast_dtype(kind)};
  at::autocast::set_autocast_dtype(kind,
                                   precision == Precision::bf16_mixed ? at::kBFloat16 : at::kHalf);
  at::autocast::set_autocast_enabled(kind, true);
  // A weight cast without gradients, as in an evaluation inside a step, must not serve a pass with
  // them.
  at::autocast::set_autocast_cache_enabled(false);
  at::autocast::increment_nesting();
}

PrecisionScope::~PrecisionScope() {
  if (default_before_.has_value()) {
    c10::set_default_dtype(c10::scalarTypeToTypeMeta(*default_before_));
  }
  if (!autocast_before_.has_value()) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(autocast_before_->device, autocast_before_->enabled);
  at::autocast::set_autocast_dtype(autocast_before_->device, autocast_before_->type);
  at::autocast::set_autocast_cache_enabled(autocast_before_->cached);
}

}  // namespace grapnel
