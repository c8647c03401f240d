#include "grapnel/lr_schedulers/lambda_lr.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"

namespace grapnel {

namespace {

std::vector<LRLambda> checked(const Optimizer& optimizer, std::vector<LRLambda> lambdas,
                              const char* scheduler) {
  if (lambdas.size() != 1 && lambdas.size() != optimizer.groups().size()) {
    throw ConfigError::of("", "{}: {} functions were given for {} groups of parameters", scheduler,
                          lambdas.size(), optimizer.groups().size());
  }
  if (!std::all_of(lambdas.begin(), lambdas.end(), [](const LRLambda& f) { return bool(f); })) {
    throw ConfigError::of("", "{}: a function is empty", scheduler);
  }
  return lambdas;
}

// A group that came after the functions were given keeps its rate.
template <class Rate>
std::vector<double> apply(const std::vector<LRLambda>& lambdas, const std::vector<double>& present,
                          int64_t epoch, Rate rate) {
  std::vector<double> rates = present;
  for (size_t i = 0; i < rates.size(); ++i) {
    if (lambdas.size() > 1 && i >= lambdas.size()) break;
    rates[i] = rate(i) * lambdas[lambdas.size() == 1 ? 0 : i](epoch);
  }
  return rates;
}

}  // namespace

LambdaLR::LambdaLR(std::shared_ptr<Optimizer> optimizer, LRLambda lr_lambda)
    : LambdaLR(std::move(optimizer), std::vector<LRLambda>{std::move(lr_lambda)}) {}

LambdaLR::LambdaLR(std::shared_ptr<Optimizer> optimizer_of_it, std::vector<LRLambda> lr_lambdas)
    : ScheduledLR(std::move(optimizer_of_it)),
      lr_lambdas_(checked(optimizer(), std::move(lr_lambdas), "LambdaLR")) {
  initial_step();
}

std::vector<double> LambdaLR::get_lr() {
  const std::vector<double>& bases = base_lrs();
  return apply(lr_lambdas_, present_lrs(), last_epoch(), [&](size_t i) { return bases[i]; });
}

MultiplicativeLR::MultiplicativeLR(std::shared_ptr<Optimizer> optimizer, LRLambda lr_lambda)
    : MultiplicativeLR(std::move(optimizer), std::vector<LRLambda>{std::move(lr_lambda)}) {}

MultiplicativeLR::MultiplicativeLR(std::shared_ptr<Optimizer> optimizer_of_it,
                                   std::vector<LRLambda> lr_lambdas)
    : ScheduledLR(std::move(optimizer_of_it)),
      lr_lambdas_(checked(optimizer(), std::move(lr_lambdas), "MultiplicativeLR")) {
  initial_step();
}

std::vector<double> MultiplicativeLR::get_lr() {
  const std::vector<double> present = present_lrs();
  if (is_initial()) return present;
  return apply(lr_lambdas_, present, last_epoch(), [&](size_t i) { return present[i]; });
}

}  // namespace grapnel
