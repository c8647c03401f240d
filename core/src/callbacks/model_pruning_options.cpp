// ModelPruning's table of options.
#include <algorithm>
#include <cmath>

#include "callbacks/pruning_method.h"
#include "grapnel/callbacks/model_pruning.h"

namespace grapnel {

namespace {

// In a map all numbers are alike: whole ones from 1 are counts.
PruningAmount amount_from(double value) {
  if (value >= 1.0 && value == std::floor(value)) return static_cast<int64_t>(value);
  return value;
}

// true, false, or a list of epochs; in C++ any function of the epoch.
struct Epochs {
  using Choice = std::variant<bool, std::function<bool(int64_t)>>;
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::boolean, ParameterType::integer_list};
  }
  static Choice read(const ConfigValue& value) {
    if (value.is_bool()) return value.as_bool();
    return std::function<bool(int64_t)>(
        [epochs = OptionType<std::vector<int64_t>>::read(value)](int64_t epoch) {
          return std::find(epochs.begin(), epochs.end(), epoch) != epochs.end();
        });
  }
  static std::optional<ConfigValue> write(const Choice& choice) {
    const bool* always = std::get_if<bool>(&choice);
    return always == nullptr ? std::nullopt : std::optional<ConfigValue>(*always);
  }
};

// A count, a share, or either by epoch; in C++ any function of the epoch.
struct AmountByEpoch {
  using Choice = std::variant<PruningAmount, std::function<PruningAmount(int64_t)>>;
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::integer, ParameterType::number, ParameterType::number_map};
  }
  static Choice read(const ConfigValue& value) {
    if (!value.is_object()) return OptionType<PruningAmount>::read(value);
    return std::function<PruningAmount(int64_t)>(
        [amounts = OptionType<std::map<int64_t, double>>::read(value)](int64_t epoch) {
          const auto found = amounts.find(epoch);
          return found == amounts.end() ? PruningAmount(0.0) : amount_from(found->second);
        });
  }
  static std::optional<ConfigValue> write(const Choice& choice) {
    const auto* amount = std::get_if<PruningAmount>(&choice);
    if (amount == nullptr) return std::nullopt;
    return OptionType<PruningAmount>::write(*amount);
  }
  static void check(const Choice& choice) {
    if (const auto* amount = std::get_if<PruningAmount>(&choice)) check_pruning_amount(*amount);
  }
};

}  // namespace

const OptionsTable<ModelPruning::Settings>& ModelPruning::options_table() {
  using O = ModelPruningOptions;
  static const OptionsTable<Settings> table(
      "model_pruning", "Sets the least important parameters to zero and keeps them there.",
      {option("pruning_fn", &Settings::pruning_fn)
           .required()
           .one_of(pruning_method_names())
           .doc("The pruning method."),
       embed(&Settings::options,
             {option("parameters_to_prune", &O::parameters_to_prune)
                  .doc("Names such as \"l1.weight\"; empty: all with one of parameter_names."),
              option("parameter_names", &O::parameter_names)
                  .one_of({"weight", "bias"})
                  .doc("Names of parameters within the parts of the model."),
              option("use_global_unstructured", &O::use_global_unstructured)
                  .doc("Choose among all parameters together, else within each."),
              option<AmountByEpoch>("amount", &O::amount)
                  .at_least(0)
                  .doc("How much: a count, a share (0.0 to 1.0) of what is left, or either by "
                       "epoch (0 for epochs that are not listed)."),
              option<Epochs>("apply_pruning", &O::apply_pruning)
                  .at_least(0)
                  .doc("Whether to prune, or the epochs, from 0, at whose end to."),
              option("make_pruning_permanent", &O::make_pruning_permanent)
                  .doc("Apply the masks for good at the end, and in checkpoints."),
              option<Epochs>("use_lottery_ticket_hypothesis", &O::use_lottery_ticket_hypothesis)
                  .at_least(0)
                  .doc("Whether to set what is left back to its first values after pruning, or in "
                       "which epochs."),
              option("rewind_every_time", &O::rewind_every_time)
                  .doc("Do that at every pruning; false: the first time only."),
              option("resample_parameters", &O::resample_parameters)
                  .doc("Redraw the values instead of resetting them."),
              option("pruning_dim", &O::pruning_dim).doc("Dimension of structured methods."),
              option("pruning_norm", &O::pruning_norm).doc("Norm of ln_structured: 1, 2, \"inf\"."),
              option("verbose", &O::verbose)
                  .at_least(0)
                  .at_most(2)
                  .doc("1: log the sparsity; 2: of each parameter too."),
              option("prune_on_train_epoch_end", &O::prune_on_train_epoch_end)
                  .doc("Prune at the end of training epochs, else of validations.")})});
  return table;
}

}  // namespace grapnel
