// The options and the state of torch::optim's classes, field by field and by name: one list for
// reading and writing both. `visit` gets (name, reference to the field).
#pragma once

#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

namespace grapnel {

namespace optim = torch::optim;

template <class Visit>
void visit_options(optim::SGDOptions& o, Visit visit) {
  visit("lr", o.lr());
  visit("momentum", o.momentum());
  visit("dampening", o.dampening());
  visit("weight_decay", o.weight_decay());
  visit("nesterov", o.nesterov());
}
template <class Visit>
void visit_state(optim::SGDParamState& s, Visit visit) {
  visit("momentum_buffer", s.momentum_buffer());
}

template <class Options, class Visit>
void visit_adam_options(Options& o, Visit visit) {
  visit("lr", o.lr());
  visit("beta1", std::get<0>(o.betas()));
  visit("beta2", std::get<1>(o.betas()));
  visit("eps", o.eps());
  visit("weight_decay", o.weight_decay());
  visit("amsgrad", o.amsgrad());
}
template <class State, class Visit>
void visit_adam_state(State& s, Visit visit) {
  visit("step", s.step());
  visit("exp_avg", s.exp_avg());
  visit("exp_avg_sq", s.exp_avg_sq());
  visit("max_exp_avg_sq", s.max_exp_avg_sq());
}
template <class Visit>
void visit_options(optim::AdamOptions& o, Visit visit) {
  visit_adam_options(o, visit);
}
template <class Visit>
void visit_state(optim::AdamParamState& s, Visit visit) {
  visit_adam_state(s, visit);
}
template <class Visit>
void visit_options(optim::AdamWOptions& o, Visit visit) {
  visit_adam_options(o, visit);
}
template <class Visit>
void visit_state(optim::AdamWParamState& s, Visit visit) {
  visit_adam_state(s, visit);
}

template <class Visit>
void visit_options(optim::RMSpropOptions& o, Visit visit) {
  visit("lr", o.lr());
  visit("alpha", o.alpha());
  visit("eps", o.eps());
  visit("weight_decay", o.weight_decay());
  visit("momentum", o.momentum());
  visit("centered", o.centered());
}
template <class Visit>
void visit_state(optim::RMSpropParamState& s, Visit visit) {
  visit("step", s.step());
  visit("square_avg", s.square_avg());
  visit("momentum_buffer", s.momentum_buffer());
  visit("grad_avg", s.grad_avg());
}

template <class Visit>
void visit_options(optim::AdagradOptions& o, Visit visit) {
  visit("lr", o.lr());
  visit("lr_decay", o.lr_decay());
  visit("weight_decay", o.weight_decay());
  visit("initial_accumulator_value", o.initial_accumulator_value());
  visit("eps", o.eps());
}
template <class Visit>
void visit_state(optim::AdagradParamState& s, Visit visit) {
  visit("step", s.step());
  visit("sum", s.sum());
}

template <class Visit>
void visit_options(optim::LBFGSOptions& o, Visit visit) {
  visit("lr", o.lr());
  visit("max_iter", o.max_iter());
  visit("tolerance_grad", o.tolerance_grad());
  visit("tolerance_change", o.tolerance_change());
  visit("history_size", o.history_size());
}
template <class Visit>
void visit_state(optim::LBFGSParamState& s, Visit visit) {
  visit("func_evals", s.func_evals());
  visit("n_iter", s.n_iter());
  visit("t", s.t());
  visit("prev_loss", s.prev_loss());
  visit("d", s.d());
  visit("H_diag", s.H_diag());
  visit("prev_flat_grad", s.prev_flat_grad());
  visit("old_dirs", s.old_dirs());
  visit("old_stps", s.old_stps());
  visit("ro", s.ro());
  visit("al", s.al());
}

// Calls `use(options of this class, a fresh state of this class)` for the class of the options;
// false for one that is not LibTorch's own.
template <class Use>
bool with_known_class(optim::OptimizerOptions& options, Use use) {
  const auto is = [&]<class Options, class State>(Options* known, State state) {
    if (known == nullptr) return false;
    use(*known, state);
    return true;
  };
  return is(dynamic_cast<optim::SGDOptions*>(&options), optim::SGDParamState()) ||
         is(dynamic_cast<optim::AdamOptions*>(&options), optim::AdamParamState()) ||
         is(dynamic_cast<optim::AdamWOptions*>(&options), optim::AdamWParamState()) ||
         is(dynamic_cast<optim::RMSpropOptions*>(&options), optim::RMSpropParamState()) ||
         is(dynamic_cast<optim::AdagradOptions*>(&options), optim::AdagradParamState()) ||
         is(dynamic_cast<optim::LBFGSOptions*>(&options), optim::LBFGSParamState());
}

}  // namespace grapnel
