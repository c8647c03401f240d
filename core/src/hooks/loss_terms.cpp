#include "grapnel/loss_terms.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

void LossTerms::add(std::string_view name, const at::Tensor& term) {
  const auto refuse = [&](const std::string& found) {
    throw ConfigError::of("", "the term {} of the loss {}", quote(printable(name)), found);
  };
  if (!term.defined()) refuse("is an undefined tensor");
  if (term.numel() != 1) {
    refuse(fmt::format("has the shape [{}]; it must have one element: reduce it with sum or mean",
                       fmt::join(term.sizes(), ", ")));
  }
  if (!at::isFloatingType(term.scalar_type())) {
    refuse(fmt::format("has the type {}; it must be a floating-point number",
                       c10::toString(term.scalar_type())));
  }
  if (step_loss_.defined() && term.device() != step_loss_.device()) {
    refuse(fmt::format("is on {}, the loss on {}; move it there", term.device().str(),
                       step_loss_.device().str()));
  }
  if (!term.requires_grad()) {
    refuse(
        "has no gradients: it was computed without recording them, or from nothing that requires "
        "any");
  }
  const double value = term.item().toDouble();
  if (!std::isfinite(value)) refuse(fmt::format("is {}; it must be finite", value));
  const at::AutoGradMode grad(true);
  at::Tensor scalar = step_loss_.defined() ? term.reshape(step_loss_.sizes()) : term;
  sum_ = sum_.defined() ? sum_ + scalar : std::move(scalar);
}

}  // namespace grapnel
