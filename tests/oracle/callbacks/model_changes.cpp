#include "callbacks/model_changes.h"

#include <grapnel/callbacks/backbone_finetuning.h>
#include <grapnel/callbacks/model_pruning.h>
#include <grapnel/callbacks/weight_averaging.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "functions.h"

namespace grapnel::oracle {
namespace {

std::vector<std::string> text_list(const Json& list) {
  std::vector<std::string> texts;
  for (const Json& item : items(list)) texts.push_back(item.as_string());
  return texts;
}

class PlanFinetuning final : public BaseFinetuning {
 public:
  explicit PlanFinetuning(const Json& arguments)
      : arguments_(arguments), train_bn_(flag_or(arguments, "train_bn", true)) {}

 protected:
  void freeze_before_training(Module& module) override {
    BaseFinetuning::freeze(module, text_list(get(arguments_, "freeze")), train_bn_);
  }

  void finetune(Module& module, std::int64_t epoch, Optimizer& optimizer, std::int64_t) override {
    const Json& step = get(get(arguments_, "plan"), std::to_string(epoch));
    if (step.is_null()) return;
    UnfreezeOptions options;
    if (const Json& lr = get(step, "lr"); !lr.is_null()) options.lr = lr.as_double();
    const Json& denominator = get(step, "denom");
    options.initial_denom_lr = denominator.is_null() ? 10.0 : denominator.as_double();
    options.train_bn = train_bn_;
    unfreeze_and_add_param_group(module, text_list(get(step, "modules")), optimizer, options);
  }

 private:
  Json arguments_;
  bool train_bn_;
};

class TableWeightAveraging final : public WeightAveraging {
 public:
  TableWeightAveraging(WeightAveragingOptions options, std::set<std::int64_t> steps,
                       std::set<std::int64_t> epochs)
      : WeightAveraging(std::move(options)), steps_(std::move(steps)), epochs_(std::move(epochs)) {}

  bool should_update(std::optional<std::int64_t> step_idx,
                     std::optional<std::int64_t> epoch_idx) override {
    return step_idx ? steps_.contains(*step_idx) : epochs_.contains(epoch_idx.value());
  }

 private:
  std::set<std::int64_t> steps_;
  std::set<std::int64_t> epochs_;
};

std::set<std::int64_t> numbers_of(const Json& list) {
  std::set<std::int64_t> numbers;
  for (const Json& item : items(list)) numbers.insert(item.as_int());
  return numbers;
}

// Takes an argument out when it is a function; null when it is none.
Json take_function(Json& arguments, const char* name) {
  Json value = get(arguments, name);
  if (!is_function(value)) return {};
  arguments.erase(name);
  return value;
}

PruningAmount amount_of(const Json& value) {
  if (value.is_integer()) return value.as_int();
  return value.as_double();
}

}  // namespace

CallbackHandle make_plan_finetuning(const Json& arguments) {
  return std::make_shared<PlanFinetuning>(arguments);
}

CallbackHandle make_table_weight_averaging(const Json& arguments) {
  return std::make_shared<TableWeightAveraging>(
      WeightAveragingOptions{.use_buffers = flag_or(arguments, "use_buffers", true)},
      numbers_of(get(arguments, "steps")), numbers_of(get(arguments, "epochs")));
}

CallbackHandle make_backbone_finetuning(const Json& arguments) {
  Json plain = arguments;
  const Json lambda = take_function(plain, "lambda_func");
  auto options = BackboneFinetuning::options_table().read(plain, "BackboneFinetuning");
  if (!lambda.is_null()) options.lambda_func = number_function(lambda);
  return std::make_shared<BackboneFinetuning>(std::move(options));
}

CallbackHandle make_model_pruning(const Json& arguments) {
  Json plain = arguments;
  const Json amount = take_function(plain, "amount");
  const Json apply = take_function(plain, "apply_pruning");
  const Json lottery = take_function(plain, "use_lottery_ticket_hypothesis");
  if (const Json& given = get(plain, "parameters_to_prune"); given.is_object()) {
    Json names = Json::array();
    for (const Json& pair : given.at("$params").as_array()) {
      names.append(pair.as_array()[0].as_string() + "." + pair.as_array()[1].as_string());
    }
    plain.set("parameters_to_prune", std::move(names));
  }
  ModelPruning::Settings settings = ModelPruning::options_table().read(plain, "ModelPruning");
  ModelPruningOptions& options = settings.options;
  if (!amount.is_null()) {
    options.amount = std::function<PruningAmount(std::int64_t)>(
        [function = value_function(amount)](std::int64_t i) { return amount_of(function(i)); });
  }
  if (!apply.is_null()) options.apply_pruning = flag_function(apply);
  if (!lottery.is_null()) options.use_lottery_ticket_hypothesis = flag_function(lottery);
  return std::make_shared<ModelPruning>(std::move(settings));
}

}  // namespace grapnel::oracle
