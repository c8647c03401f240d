#include "callbacks/pruning_method.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/kthvalue.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/rand_like.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "text/python_format.h"

namespace grapnel {

namespace {

// A share is rounded half to even, as Python does.
int64_t count_to_prune(const PruningAmount& amount, int64_t left) {
  if (const double* share = std::get_if<double>(&amount)) {
    return static_cast<int64_t>(std::nearbyint(*share * static_cast<double>(left)));
  }
  const int64_t count = std::get<int64_t>(amount);
  if (count > left) {
    throw ConfigError::of(
        "amount",
        "ModelPruning: amount is {}, but only {} are left to prune; give a smaller one, or a share",
        count, left);
  }
  return count;
}

at::Tensor without_smallest(const at::Tensor& keys, int64_t count, bool largest) {
  at::Tensor mask = at::ones_like(keys);
  if (count > 0) mask.index_fill_(0, std::get<1>(at::topk(keys, count, -1, largest)), 0);
  return mask;
}

at::Tensor l1_unstructured(const at::Tensor& scores, const PruningAmount& amount) {
  return without_smallest(at::abs(scores), count_to_prune(amount, scores.numel()), false);
}

at::Tensor random_unstructured(const at::Tensor& scores, const PruningAmount& amount) {
  const int64_t count = count_to_prune(amount, scores.numel());
  if (count == 0) return at::ones_like(scores);
  return without_smallest(at::rand_like(scores), count, true);
}

// Ones in the chosen channels, zeros elsewhere.
at::Tensor channel_mask(const at::Tensor& scores, int64_t dim, const at::Tensor& channels) {
  at::Tensor mask = at::zeros_like(scores);
  mask.index_fill_(dim, channels, 1);
  return mask;
}

at::Tensor ln_structured(const at::Tensor& scores, const at::Tensor& mask, int64_t dim, double norm,
                         const PruningAmount& amount) {
  const int64_t channels = scores.size(dim);
  const int64_t count = count_to_prune(amount, channels);
  if (count == 0) return mask;
  std::vector<int64_t> others;
  for (int64_t i = 0; i < scores.dim(); ++i) {
    if (i != dim) others.push_back(i);
  }
  const at::Tensor norms = at::linalg_vector_norm(scores, norm, others);
  const at::Tensor kept = std::get<1>(at::topk(norms, channels - count, -1, /*largest=*/true));
  return channel_mask(scores, dim, kept) * mask;
}

at::Tensor random_structured(const at::Tensor& scores, const at::Tensor& mask, int64_t dim,
                             const PruningAmount& amount) {
  const int64_t channels = scores.size(dim);
  const int64_t count = count_to_prune(amount, channels);
  if (count == 0) return mask;
  const at::Tensor chances = at::rand({channels}, scores.options().dtype(at::kFloat));
  const at::Tensor threshold = std::get<0>(at::kthvalue(chances, count));
  return channel_mask(scores, dim, (chances > threshold).nonzero().flatten()) * mask;
}

int64_t checked_dim(const at::Tensor& scores, int64_t dim) {
  if (scores.dim() < 2) {
    throw ConfigError::of("pruning_fn",
                          "ModelPruning: a structured method prunes channels, but a parameter of "
                          "shape [{}] has none; name the parameters to prune",
                          fmt::join(scores.sizes(), ", "));
  }
  if (dim < -scores.dim() || dim >= scores.dim()) {
    throw ConfigError::of("pruning_dim",
                          "ModelPruning: pruning_dim is {}, but a parameter has the shape [{}]; "
                          "accepted are {} to {}",
                          dim, fmt::join(scores.sizes(), ", "), -scores.dim(), scores.dim() - 1);
  }
  return dim < 0 ? dim + scores.dim() : dim;
}

}  // namespace

at::Tensor PruningMethod::combine(const at::Tensor& scores, const at::Tensor& mask,
                                  const PruningAmount& amount) const {
  if (!structured) {
    const at::Tensor left = (mask == 1).flatten().nonzero().flatten();
    const at::Tensor partial = compute(scores.flatten().index_select(0, left),
                                       mask.flatten().index_select(0, left), amount);
    if (partial.sizes() != left.sizes()) {
      throw ConfigError::of("", "ModelPruning: {} returned a mask of shape [{}] for [{}] elements",
                            name, fmt::join(partial.sizes(), ", "), left.numel());
    }
    return mask.flatten().index_copy(0, left, partial.to(mask.dtype())).view(mask.sizes());
  }
  const int64_t channel_dim = checked_dim(scores, dim);
  std::vector<int64_t> others;
  for (int64_t i = 0; i < mask.dim(); ++i) {
    if (i != channel_dim) others.push_back(i);
  }
  const at::Tensor left = (mask.sum(others) != 0).nonzero().flatten();
  const at::Tensor partial =
      compute(scores.index_select(channel_dim, left), mask.index_select(channel_dim, left), amount);
  return mask.index_copy(channel_dim, left, partial.to(mask.dtype()));
}

const std::vector<std::string>& pruning_method_names() {
  static const std::vector<std::string> names = {"l1_unstructured", "ln_structured",
                                                 "random_structured", "random_unstructured"};
  return names;
}

PruningMethod make_pruning_method(const std::string& name, std::optional<int64_t> dim,
                                  std::optional<double> norm) {
  const auto& names = pruning_method_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    const auto meant = nearest(name, names);
    throw ConfigError({},
                      fmt::format("ModelPruning: there is no pruning_fn {}{}; known are {}",
                                  quote(name), did_you_mean(meant), join_quoted(names, "and")),
                      "pruning_fn", meant.value_or(""));
  }
  const auto needs = [&](const char* option, bool given) {
    if (given) return;
    throw ConfigError::of(option, "ModelPruning: pruning_fn {} needs {}", quote(name), option);
  };
  if (name == "l1_unstructured") {
    return {.name = "L1Unstructured",
            .function = name,
            .compute = [](const at::Tensor& scores, const at::Tensor&,
                          const PruningAmount& amount) { return l1_unstructured(scores, amount); }};
  }
  if (name == "random_unstructured") {
    return {
        .name = "RandomUnstructured",
        .function = name,
        .compute = [](const at::Tensor& scores, const at::Tensor&, const PruningAmount& amount) {
          return random_unstructured(scores, amount);
        }};
  }
  needs("pruning_dim", dim.has_value());
  const int64_t given_dim = *dim;
  if (name == "random_structured") {
    return {.name = "RandomStructured",
            .function = name,
            .structured = true,
            .dim = given_dim,
            .compute = [given_dim](const at::Tensor& scores, const at::Tensor& mask,
                                   const PruningAmount& amount) {
              return random_structured(scores, mask, checked_dim(scores, given_dim), amount);
            }};
  }
  needs("pruning_norm", norm.has_value());
  return {.name = "LnStructured",
          .function = name,
          .structured = true,
          .dim = given_dim,
          .compute = [given_dim, p = *norm](const at::Tensor& scores, const at::Tensor& mask,
                                            const PruningAmount& amount) {
            return ln_structured(scores, mask, checked_dim(scores, given_dim), p, amount);
          }};
}

void check_pruning_amount(const PruningAmount& amount) {
  const int64_t* count = std::get_if<int64_t>(&amount);
  const bool fits = count != nullptr
                        ? *count >= 0
                        : std::get<double>(amount) >= 0.0 && std::get<double>(amount) <= 1.0;
  if (fits) return;
  throw ConfigError::of("amount", "must be a count from 0, or a share from 0.0 to 1.0, found {}",
                        amount_text(amount));
}

bool is_zero(const PruningAmount& amount) {
  return std::visit([](auto value) { return value == 0; }, amount);
}

std::string amount_text(const PruningAmount& amount) {
  if (const int64_t* count = std::get_if<int64_t>(&amount)) return fmt::format("{}", *count);
  return python_repr(std::get<double>(amount));
}

}  // namespace grapnel
