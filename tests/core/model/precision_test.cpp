// In which number types a run computes, and that it does so nowhere but in steps.
#include "grapnel/precision.h"

#include <ATen/autocast_mode.h>

#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/grad_scaler.h"
#include "temp_dir.h"
#include "toy.h"

namespace precision_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Notes the types that a step sees, and those that the hooks around it see.
class TypesModule : public ToyModule {
 public:
  StepOutput training_step(Batch& batch, int64_t batch_idx) override {
    input = batch[0].scalar_type();
    product = batch[0].mm(weight).scalar_type();
    made = at::zeros({1}).scalar_type();
    return ToyModule::training_step(batch, batch_idx);
  }
  StepOutput validation_step(Batch& batch, int64_t batch_idx, int64_t dataloader_idx) override {
    validated = batch[0].mm(weight).scalar_type();
    return ToyModule::validation_step(batch, batch_idx, dataloader_idx);
  }
  void on_train_batch_end(TrainBatchEnd&) override {
    made_in_hook = at::zeros({1}).scalar_type();
    autocast_in_hook = at::autocast::is_autocast_enabled(at::kCPU);
  }
  void on_before_optimizer_step(OptimizerEvent&) override {
    gradient = weight.grad().scalar_type();
  }
  void on_after_backward(Event&) override {
    autocast_after_backward = at::autocast::is_autocast_enabled(at::kCPU);
  }

  at::ScalarType input{}, product{}, made{}, validated{}, made_in_hook{}, gradient{};
  bool autocast_in_hook = true;
  bool autocast_after_backward = true;
};

TypesModule fitted(Precision precision) {
  TypesModule module;
  TrainerOptions options = quiet(1);
  options.precision = precision;
  Trainer trainer(options);
  trainer.fit(module, toy_data());
  return module;
}

TrainerOptions options_from(const std::string& json) {
  return trainer_options(
      trainer_options_table().parameters().validate(parse_json(json, "test"), "trainer"));
}

}  // namespace

TEST_CASE(
    "bf16-mixed computes in bfloat16 within steps, with parameters and gradients in float32") {
  const TypesModule module = fitted(Precision::bf16_mixed);
  CHECK(module.input == at::kFloat);
  CHECK(module.product == at::kBFloat16);
  CHECK(module.validated == at::kBFloat16);
  CHECK(module.made == at::kFloat);
  CHECK(module.weight.scalar_type() == at::kFloat);
  CHECK(module.gradient == at::kFloat);
  CHECK_FALSE(module.autocast_in_hook);
  CHECK_FALSE(module.autocast_after_backward);
}

TEST_CASE("64-true and bf16-true convert the model, its input and the tensors made in a step") {
  const auto [precision, type] = GENERATE(std::pair{Precision::f64_true, at::kDouble},
                                          std::pair{Precision::bf16_true, at::kBFloat16});
  const TypesModule module = fitted(precision);
  CHECK(module.input == type);
  CHECK(module.product == type);
  CHECK(module.validated == type);
  CHECK(module.made == type);
  CHECK(module.weight.scalar_type() == type);
  CHECK(module.gradient == type);
  CHECK(module.made_in_hook == at::kFloat);
}

TEST_CASE("32-true converts nothing") {
  const TypesModule module = fitted(Precision::f32_true);
  CHECK(module.product == at::kFloat);
  CHECK(module.weight.scalar_type() == at::kFloat);
}

TEST_CASE("a run in 64 bits resumes with the same bits") {
  const TempDir directory;
  const auto file = directory.path() / "half.ckpt";
  const auto train = [&](int64_t epochs, const std::string& from) {
    ToyModule module;
    TrainerOptions options = quiet(epochs);
    options.precision = Precision::f64_true;
    Trainer trainer(options);
    trainer.fit(module, toy_data(), {.ckpt_path = from});
    if (epochs == 2) trainer.save_checkpoint(file);
    return module.weight.detach().clone();
  };
  train(2, "");
  const at::Tensor resumed = train(4, file.string());
  CHECK(resumed.scalar_type() == at::kDouble);
  CHECK(at::equal(resumed, train(4, "")));
}

TEST_CASE("a step that throws leaves no autocast and no default type behind") {
  class Throws : public ToyModule {
   public:
    StepOutput training_step(Batch&, int64_t) override { throw std::runtime_error("no"); }
  };
  for (const Precision precision : {Precision::bf16_mixed, Precision::f64_true}) {
    Throws module;
    TrainerOptions options = quiet(1);
    options.precision = precision;
    Trainer trainer(options);
    CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "no");
    CHECK_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
    CHECK(at::zeros({1}).scalar_type() == at::kFloat);
  }
}

TEST_CASE("precisions are named as in Lightning, and others are refused by all their names") {
  CHECK(options_from(R"({"precision": 32})").precision == Precision::f32_true);
  CHECK(options_from(R"({"precision": "64"})").precision == Precision::f64_true);
  CHECK(options_from(R"({"precision": "bf16"})").precision == Precision::bf16_mixed);
  CHECK(options_from(R"({"precision": 16})").precision == Precision::f16_mixed);
  for (const std::string& name : precision_names()) CHECK(parse_precision(name).has_value());
  CHECK_THROWS_WITH(options_from(R"({"precision": 8})"),
                    Catch::Contains("trainer.precision must be one of") &&
                        Catch::Contains("found 8") && Catch::Contains("bf16-mixed"));
  CHECK_THROWS_WITH(options_from(R"({"precision": "fp8"})"),
                    Catch::Contains("precision") && Catch::Contains("16-true"));
}

TEST_CASE("16-mixed on a CPU becomes bf16-mixed, without a gradient scaler") {
  TrainerOptions options = quiet(1);
  options.precision = Precision::f16_mixed;
  Trainer trainer(options);
  CHECK(trainer.options().precision == Precision::bf16_mixed);
  CHECK(trainer.grad_scaler() == nullptr);
}

}  // namespace precision_test
