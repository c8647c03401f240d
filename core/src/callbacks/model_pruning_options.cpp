// ModelPruning's parameters in run.json.
#include <algorithm>
#include <cmath>

#include "callbacks/pruning_method.h"
#include "grapnel/callbacks/model_pruning.h"

namespace grapnel {

namespace {

using BoolOfEpoch = std::variant<bool, std::function<bool(int64_t)>>;

// true, false, or a list of epochs.
BoolOfEpoch epochs_choice(const Parameters& p, const char* name) {
  if (p.get<ConfigValue>(name).is_bool()) return p.get<bool>(name);
  return std::function<bool(int64_t)>([epochs = p.get<std::vector<int64_t>>(name)](int64_t epoch) {
    return std::find(epochs.begin(), epochs.end(), epoch) != epochs.end();
  });
}

// In a map all numbers are alike: whole ones from 1 are counts.
PruningAmount amount_from(double value) {
  if (value >= 1.0 && value == std::floor(value)) return static_cast<int64_t>(value);
  return value;
}

}  // namespace

const ParameterTable& ModelPruning::parameters() {
  using namespace parameter;
  using enum ParameterType;
  static const ParameterTable table(
      "model_pruning", "Sets the least important parameters to zero and keeps them there.",
      {parameter::string("pruning_fn").one_of(pruning_method_names()).doc("The pruning method."),
       parameter::string_list("parameters_to_prune", {})
           .doc("Names such as \"l1.weight\"; empty: all with one of parameter_names."),
       parameter::string_list("parameter_names", {"weight", "bias"})
           .one_of({"weight", "bias"})
           .doc("Names of parameters within the parts of the model."),
       parameter::boolean("use_global_unstructured", true)
           .doc("Choose among all parameters together, else within each."),
       either({integer, number, number_map}, "amount", 0.5)
           .at_least(0)
           .doc(
               "How much: a count, a share (0.0 to 1.0) of what is left, or either by epoch (0 for "
               "epochs that are not listed)."),
       either({ParameterType::boolean, integer_list}, "apply_pruning", true)
           .at_least(0)
           .doc("Whether to prune, or the epochs, from 0, at whose end to."),
       parameter::boolean("make_pruning_permanent", true)
           .doc("Apply the masks for good at the end, and in checkpoints."),
       either({ParameterType::boolean, integer_list}, "use_lottery_ticket_hypothesis", true)
           .at_least(0)
           .doc("Whether to set what is left back to its first values after pruning, or in which "
                "epochs."),
       parameter::boolean("rewind_every_time", false)
           .doc("Do that at every pruning; false: the first time only."),
       parameter::boolean("resample_parameters", false)
           .doc("Draw the values anew instead of setting them back."),
       parameter::integer("pruning_dim").nullable().doc("Dimension of structured methods."),
       parameter::number("pruning_norm").nullable().doc("Norm of ln_structured: 1, 2, \"inf\"."),
       parameter::integer("verbose", 0)
           .at_least(0)
           .at_most(2)
           .doc("1: log the sparsity; 2: of each parameter too."),
       parameter::boolean("prune_on_train_epoch_end", true)
           .doc("Prune at the end of training epochs, else of validations.")});
  return table;
}

ModelPruningOptions ModelPruning::options_from(const Parameters& p) {
  ModelPruningOptions options;
  options.parameters_to_prune = p.get<std::vector<std::string>>("parameters_to_prune");
  options.parameter_names = p.get<std::vector<std::string>>("parameter_names");
  options.use_global_unstructured = p.get<bool>("use_global_unstructured");
  const auto amount = p.get<ConfigValue>("amount");
  if (amount.is_object()) {
    options.amount = std::function<PruningAmount(int64_t)>(
        [amounts = p.get<std::map<int64_t, double>>("amount")](int64_t epoch) -> PruningAmount {
          const auto found = amounts.find(epoch);
          return found == amounts.end() ? PruningAmount(0.0) : amount_from(found->second);
        });
  } else if (amount.is_integer()) {
    options.amount = PruningAmount(p.get<int64_t>("amount"));
  } else {
    options.amount = PruningAmount(p.get<double>("amount"));
  }
  options.apply_pruning = epochs_choice(p, "apply_pruning");
  options.make_pruning_permanent = p.get<bool>("make_pruning_permanent");
  options.use_lottery_ticket_hypothesis = epochs_choice(p, "use_lottery_ticket_hypothesis");
  options.rewind_every_time = p.get<bool>("rewind_every_time");
  options.resample_parameters = p.get<bool>("resample_parameters");
  options.pruning_dim = p.get<std::optional<int64_t>>("pruning_dim");
  options.pruning_norm = p.get<std::optional<double>>("pruning_norm");
  options.verbose = p.get<int64_t>("verbose");
  options.prune_on_train_epoch_end = p.get<bool>("prune_on_train_epoch_end");
  return options;
}

std::shared_ptr<ModelPruning> ModelPruning::from(const Parameters& p) {
  return std::make_shared<ModelPruning>(p.get<std::string>("pruning_fn"), options_from(p));
}

}  // namespace grapnel
