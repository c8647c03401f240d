// The ready models, alone and trained on the digits.
#include <ATen/Functions.h>
#include <fmt/format.h>

#include <cmath>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/lambda_callback.h"
#include "grapnel/data/csv.h"
#include "grapnel/data/digits.h"
#include "grapnel/models/cnn.h"
#include "grapnel/models/mlp.h"
#include "grapnel/models/registry.h"
#include "grapnel/models/supervised.h"
#include "grapnel/trainer.h"
#include "temp_dir.h"

namespace models_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::TempDir;

namespace {

std::vector<std::string> parameter_names(Module& module) {
  std::vector<std::string> names;
  for (const StateEntry& entry : module.state_view().parameters()) names.push_back(entry.name);
  return names;
}

MadeModel from(std::string_view text) {
  return make_model(parse_json(text, "run.json"), "model");
}

double accuracy_after(Module& module, const ModuleMask& mask, int64_t epochs) {
  DigitsDataModule data({.batch_size = 64});
  Trainer trainer(
      {.max_epochs = epochs, .num_sanity_val_steps = 0, .enable_checkpointing = false, .seed = 1});
  trainer.fit(ModuleRef(module, mask), data);
  return trainer.callback_metrics().at("val_acc");
}

}  // namespace

TEST_CASE("an MLP takes inputs of any shape with as many numbers") {
  MLP mlp({.hidden = {32, 16}, .dropout = 0.5});
  CHECK(parameter_names(mlp) ==
        std::vector<std::string>{"hidden0_linear.weight", "hidden0_linear.bias",
                                 "hidden1_linear.weight", "hidden1_linear.bias", "out.weight",
                                 "out.bias"});
  CHECK(mlp.forward(at::rand({5, 1, 8, 8})).sizes() == at::IntArrayRef({5, 10}));
  CHECK(mlp.forward(at::rand({5, 64})).sizes() == at::IntArrayRef({5, 10}));
  MLP linear({.in_features = 4, .hidden = {}, .classes = 3});
  CHECK(parameter_names(linear).size() == 2);
  CHECK(mlp.type_name() == "MLP");
}

TEST_CASE("a CNN takes images of any size that is at least 1 pixel after its blocks") {
  CNN cnn({.in_channels = 3, .channels = {4, 8}, .classes = 5, .dropout = 0.1});
  CHECK(cnn.forward(at::rand({2, 3, 8, 8})).sizes() == at::IntArrayRef({2, 5}));
  CHECK(cnn.forward(at::rand({2, 3, 33, 28})).sizes() == at::IntArrayRef({2, 5}));
  CHECK(cnn.state_view().find("block1_norm.running_mean") != nullptr);
}

TEST_CASE("MLP and CNN refuse sizes that make no network") {
  CHECK_THROWS_WITH(MLP({.hidden = {0}}),
                    Contains("MLP: hidden must be at least 1, found the integer 0"));
  CHECK_THROWS_WITH(MLP({.dropout = 1.0}), Contains("dropout"));
  CHECK_THROWS_WITH(CNN({.channels = {}}), Contains("channels"));
  constexpr int64_t kHuge = int64_t{1} << 62;
  const auto key_of = [](auto&& make) {
    try {
      make();
    } catch (const ConfigError& error) {
      CHECK_THAT(error.what(), Contains("can't be made") && Contains(std::to_string(kHuge)) &&
                                   Contains("there isn't the memory for its weights") &&
                                   !Contains("calculation"));
      return error.key;
    }
    return std::string("accepted");
  };
  CHECK(key_of([&] { MLP({.hidden = {kHuge}}); }) == "hidden");
  CHECK(key_of([&] { MLP({.hidden = {3, kHuge}}); }) == "hidden");
  CHECK(key_of([&] { MLP({.in_features = kHuge}); }) == "in_features");
  CHECK(key_of([&] { MLP({.classes = kHuge}); }) == "classes");
  CHECK(key_of([&] { CNN({.in_channels = kHuge}); }) == "in_channels");
  CHECK(key_of([&] { CNN({.channels = {kHuge}}); }) == "channels");
  CHECK(key_of([&] { CNN({.classes = kHuge}); }) == "classes");
  CHECK_THROWS_AS(MLP({.training = {.optimizer = "Adamm"}}), ConfigError);
}

TEST_CASE("MLP and CNN learn the digits") {
  at::manual_seed(7);
  MLP mlp;
  CHECK(accuracy_after(mlp, overridden_module_functions<MLP>(), 12) > 0.9);
  CNN cnn({.channels = {8, 16}});
  CHECK(accuracy_after(cnn, overridden_module_functions<CNN>(), 8) > 0.9);
}

TEST_CASE("MLP and CNN log their promised metrics in each stage") {
  MLP mlp;
  DigitsDataModule data({.batch_size = 200});
  Trainer trainer({.max_epochs = 1, .num_sanity_val_steps = 0, .enable_checkpointing = false});
  trainer.fit(mlp, data);
  CHECK(trainer.callback_metrics().contains("train_loss"));
  CHECK(trainer.progress_bar_metrics().contains("train_loss"));
  CHECK(trainer.callback_metrics().contains("val_loss"));
  CHECK_FALSE(trainer.progress_bar_metrics().contains("val_loss"));
  const auto results = trainer.test(mlp, data);
  CHECK(results.at(0).contains("test_loss"));
  CHECK(results.at(0).at("test_acc") <= 1.0);
  CHECK(trainer.predict(mlp, data).at(0).at(0).tensor.sizes() == at::IntArrayRef({180, 10}));
}

TEST_CASE("a model's lr can be changed by name, with any optimizer and scheduler") {
  const auto made =
      from(R"({"name": "mlp", "optimizer": {"name": "SGD", "lr": 0.25, "momentum": 0.9},
                            "scheduler": {"name": "StepLR", "step_size": 2, "interval": "step"}})");
  REQUIRE(made.module->number_attribute("lr") != nullptr);
  CHECK(*made.module->number_attribute("learning_rate") == 0.25);
  CHECK(made.module->number_attribute("momentum") == nullptr);
  *made.module->number_attribute("lr") = 0.5;
  const OptimizerConfig config = made.module->configure_optimizers();
  CHECK(config.optimizers.at(0)->groups().at(0).options.at("lr") == 0.5);
  CHECK(config.optimizers.at(0)->groups().at(0).options.at("momentum") == 0.9);
  CHECK(config.schedulers.at(0).interval == Interval::step);
}

TEST_CASE("run.json chooses a model by name, and its hyper-parameters are kept") {
  const MadeModel made = from(R"({"name": "cnn", "channels": [4], "optimizer": "SGD"})");
  CHECK(made.module->type_name() == "CNN");
  CHECK(made.mask.has(ModuleMethod::training_step));
  CHECK(made.mask.has(ModuleMethod::configure_optimizers));
  CHECK_FALSE(made.mask.has(ModuleMethod::predict_step));
  CHECK(made.module->hyper_parameters.at("channels").to_list().at(0).to_int() == 4);
  CHECK(made.module->hyper_parameters.at("optimizer").to_string() == "SGD");
  CHECK_THROWS_WITH(from(R"({"name": "mpl"})"),
                    Contains("run.json:1:10") && Contains("did you mean 'mlp'"));
  CHECK_THROWS_WITH(from(R"({"name": "mlp", "hiden": [3]})"), Contains("'hidden'"));
  CHECK_THROWS_WITH(from(R"({"name": "mlp", "optimizer": {"name": "SGD", "momentun": 1}})"),
                    Contains("run.json:1:") && Contains("'momentum'"));
  CHECK_THROWS_WITH(from(R"({"name": "torchscript", "path": "none.pt"})"),
                    Contains("run.json:1:1") && Contains("no such file"));
}

TEST_CASE("a class that the model doesn't have is refused with its place in the data") {
  const TempDir directory;
  std::string text = "a,b,label\n";
  for (int i = 0; i < 30; ++i) text += fmt::format("{},1,{}\n", i, i == 17 ? 7 : i % 3);
  CsvDataModule data({.path = directory.write("a.csv", text),
                      .target = "label",
                      .parts = {.val_fraction = 0.0, .test_fraction = 0.0}});
  TrainerOptions options;
  options.max_epochs = 1;
  options.enable_checkpointing = false;
  MLP mlp({.in_features = 2, .classes = 5});
  CHECK_THROWS_WITH(Trainer(options).fit(mlp, data),
                    Contains("row 18 of '") && Contains("a.csv") && Contains("the class 7") &&
                        Contains("5 outputs, for the classes 0 to 4"));
}

TEST_CASE("data that don't fit a model are refused before the run begins") {
  const TempDir directory;
  const auto path = directory.write("a.csv", "a,b,label\n1,2,0\n3,4,1\n5,6,2\n7,8,2\n");
  const auto refusal = [&](auto&& model, RunKind kind = RunKind::fit) {
    CsvDataModule data(
        {.path = path, .target = "label", .parts = {.val_fraction = 0.0, .test_fraction = 0.5}});
    TrainerOptions options;
    options.max_epochs = 1;
    options.enable_checkpointing = false;
    bool has_begun = false;
    Trainer trainer(options, {std::make_shared<LambdaCallback>(
                                 LambdaHooks{.on_fit_start = [&](Event&) { has_begun = true; }})});
    try {
      if (kind == RunKind::fit) trainer.fit(model, data);
      if (kind == RunKind::test) trainer.test(model, data);
    } catch (const DataError& error) {
      CHECK_FALSE(has_begun);
      return std::string(error.what());
    }
    return std::string();
  };
  constexpr const char* kWidth =
      "a sample of the data has 2 numbers, but MLP takes 3: set the model's in_features to 2";
  CHECK(refusal(MLP({.in_features = 3, .classes = 3})) == kWidth);
  CHECK(refusal(MLP({.in_features = 3, .classes = 3}), RunKind::test) == kWidth);
  CHECK_THAT(refusal(MLP({.in_features = 2, .classes = 1})),
             Contains("a.csv' has the class ") && Contains("but MLP has 1 outputs"));
  CHECK(refusal(MLP({.in_features = 2, .classes = 3})).empty());
  DigitsDataModule digits;
  CNN cnn({.in_channels = 3, .channels = {2}});
  TrainerOptions options;
  options.enable_checkpointing = false;
  CHECK_THROWS_WITH(Trainer(options).fit(cnn, digits),
                    Contains("set the model's in_channels to 1"));
}

TEST_CASE("a batch without a target and a loss without a name are refused") {
  MLP mlp;
  Batch batch({at::rand({2, 64})});
  CHECK_THROWS_AS(mlp.training_step(batch, 0), DataError);
  MLP narrow({.in_features = 10});
  Batch wide({at::rand({2, 64}), at::zeros({2}, at::kLong)});
  CHECK_THROWS_WITH(narrow.training_step(wide, 0),
                    Contains("MLP can't take an input of the shape [2, 64]"));
  CHECK_THROWS_WITH(parse_loss("mae"), Contains("'mse'"));
  CHECK(parse_loss("bce_with_logits") == Loss::bce_with_logits);
}

TEST_CASE("supervised losses are LibTorch's with mean reduction") {
  const at::Tensor a = at::tensor({1.0F, 2.0F});
  const at::Tensor b = at::tensor({0.0F, 4.0F});
  CHECK(compute_loss(Loss::mse, a, b).item().toDouble() == Approx(2.5));
  CHECK(compute_loss(Loss::l1, a, b).item().toDouble() == Approx(1.5));
  CHECK(compute_loss(Loss::cross_entropy, at::zeros({1, 4}), at::tensor({2}, at::kLong))
            .item()
            .toDouble() == Approx(std::log(4)));
  CHECK(compute_loss(Loss::bce_with_logits, at::zeros({2}), b.clamp_max(1)).item().toDouble() ==
        Approx(std::log(2)));
}

TEST_CASE(
    "a step of a ready model returns its output as predictions, without a copy or gradients") {
  struct Watcher final : Callback {
    void on_train_batch_end(TrainBatchEnd& event) override { look(event.outputs, event.batch); }
    void on_validation_batch_end(EvalBatchEnd& event) override { look(event.outputs, event.batch); }
    void look(const StepOutput& outputs, const Batch& batch) {
      REQUIRE(outputs.extras.size() == 1);
      const auto& [name, predictions] = outputs.extras.front();
      CHECK(name == "predictions");
      CHECK(predictions.sizes() == at::IntArrayRef({batch.batch_size(), 10}));
      CHECK_FALSE(predictions.requires_grad());
      ++seen;
    }
    int seen = 0;
  };
  auto watcher = std::make_shared<Watcher>();
  DigitsDataModule data({.batch_size = 64});
  MLP mlp;
  Trainer trainer({.max_epochs = 1,
                   .limit_train_batches = 2,
                   .limit_val_batches = 1,
                   .num_sanity_val_steps = 0,
                   .enable_checkpointing = false},
                  {watcher});
  trainer.fit(mlp, data);
  CHECK(watcher->seen == 3);
}

}  // namespace models_test
