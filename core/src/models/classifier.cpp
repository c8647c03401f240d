#include "grapnel/models/classifier.h"

#include "grapnel/models/supervised.h"
#include "grapnel/optim/registry.h"
#include "models/data_check.h"

namespace grapnel {

void Classifier::set_options(ClassifierOptions options) {
  options_ = std::move(options);
  // Made once for trial: what is wrong with it is said now, and its rate is known.
  const OptimizerConfig trial = make_optimizer_config(*this, options_.optimizer, {}, "model");
  lr_ = trial.optimizers.at(0)->groups().at(0).options.at("lr");
  make_optimizer_config(*this, options_.optimizer, options_.scheduler, "model");
}

StepOutput Classifier::training_step(Batch& batch, int64_t /*batch_idx*/) {
  return supervised_step(*this, batch, "train", Loss::cross_entropy);
}

StepOutput Classifier::validation_step(Batch& batch, int64_t /*batch_idx*/,
                                       int64_t /*dataloader_idx*/) {
  return supervised_step(*this, batch, "val", Loss::cross_entropy);
}

StepOutput Classifier::test_step(Batch& batch, int64_t /*batch_idx*/, int64_t /*dataloader_idx*/) {
  return supervised_step(*this, batch, "test", Loss::cross_entropy);
}

OptimizerConfig Classifier::configure_optimizers() {
  ConfigValue optimizer = options_.optimizer;
  if (optimizer.is_string()) {
    const std::string name = optimizer.as_string();
    optimizer = ConfigValue::object();
    optimizer.set("name", name);
  }
  optimizer.set("lr", lr_);
  return make_optimizer_config(*this, optimizer, options_.scheduler, "model");
}

void Classifier::setup(StageEvent& event) {
  check_data(*this, event);
}

double* Classifier::number_attribute(const std::string& name) {
  return name == "lr" || name == "learning_rate" ? &lr_ : nullptr;
}

}  // namespace grapnel
