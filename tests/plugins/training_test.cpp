// The plugins that ship in a real training, with LibTorch: their libraries, loaded as they are, on the toy
// of tests/bridge.
#include <ATen/TensorOperators.h>
#include <ATen/ops/norm.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "captured_log.h"
#include "catch.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "shipped_plugin.h"

namespace training_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

/// What the weight is after each training batch, and while validating.
struct Watcher final : Callback {
  explicit Watcher(ToyModule& watched) : module(watched) {}
  void on_train_batch_end(TrainBatchEnd&) override {
    trained.push_back(module.weight.detach().clone());
  }
  void on_validation_batch_end(EvalBatchEnd&) override {
    validated.push_back(module.weight.detach().clone());
  }
  ToyModule& module;
  std::vector<at::Tensor> trained, validated;
};

bool close(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() < 1e-6;
}

}  // namespace

TEST_CASE("ema validates the average and leaves the model the average at the end") {
  Toy toy;
  toy.options.max_epochs = 2;
  auto watcher = std::make_shared<Watcher>(toy.module);
  toy.fit({watcher, shipped_plugin("ema", R"({"decay": 0.5})")});

  REQUIRE(watcher->trained.size() == 8);
  REQUIRE(watcher->validated.size() == 4);
  at::Tensor average = watcher->trained[0].clone();
  for (std::size_t i = 1; i < 4; ++i) average.lerp_(watcher->trained[i], 0.5);
  CHECK(close(watcher->validated[0], average));
  CHECK(close(watcher->validated[1], average));
  for (std::size_t i = 4; i < 8; ++i) average.lerp_(watcher->trained[i], 0.5);
  CHECK(close(watcher->validated[3], average));
  CHECK_FALSE(close(watcher->trained[7], average));
  CHECK(close(toy.module.weight.detach(), average));
  CHECK(toy.module.weight.requires_grad());
}

TEST_CASE("ema gives its average also to a run that is resumed with nothing left to do") {
  const TempDir directory;
  const auto train = [&](const std::string& from) {
    Toy toy;
    toy.options.max_epochs = 2;
    toy.options.enable_checkpointing = true;
    auto keeper = std::make_shared<ModelCheckpoint>(
        ModelCheckpointOptions{.dirpath = directory / "c", .save_last = SaveLast::copy});
    toy.fit({shipped_plugin("ema", R"({"decay": 0.5})"), keeper}, {.ckpt_path = from});
    return toy.module.weight.detach().clone();
  };
  const at::Tensor first = train("");
  CHECK(at::equal(train((directory / "c" / "last.ckpt").string()), first));
}

TEST_CASE("restore_best_weights restores the average that ema had when it was best") {
  for (const bool ema_first : {true, false}) {
    auto stopping = std::make_shared<EarlyStopping>(
        "val_loss", EarlyStoppingOptions{.patience = 100, .restore_best_weights = true});
    std::vector<CallbackHandle> callbacks = {stopping, shipped_plugin("ema", R"({"decay": 0.5})")};
    if (ema_first) std::swap(callbacks[0], callbacks[1]);
    Toy toy;
    toy.options.max_epochs = 4;
    auto watcher = std::make_shared<Watcher>(toy.module);
    callbacks.emplace_back(watcher);
    toy.fit(callbacks);
    bool was_validated = false;
    for (const at::Tensor& weight : watcher->validated) {
      was_validated = was_validated || at::equal(weight, toy.module.weight);
    }
    CHECK(was_validated);
  }
}

TEST_CASE("ema updates when so many steps have passed, also where a batch makes two") {
  class TwoSteps final : public ToyModule {
   public:
    TwoSteps() { automatic_optimization = false; }
    StepOutput training_step(Batch& batch, std::int64_t) override {
      manual_backward(loss_of(batch));
      for (int i = 0; i < 2; ++i) optimizers().step();
      return {};
    }
  };
  TwoSteps module;
  const at::Tensor before = module.weight.detach().clone();
  const CapturedLog log;
  Trainer trainer(quiet(2), {shipped_plugin("ema", R"({"update_every_n_steps": 5})")});
  trainer.fit(module, toy_data(6, 0));
  CHECK(trainer.global_step() == 24);
  // After 2, 8, 14 and 20 steps.
  CHECK(log.text().find("the average of 4 updates") != std::string::npos);
  CHECK_FALSE(at::equal(module.weight, before));
}

TEST_CASE("grad_norm logs the norm of each gradient and of all together") {
  struct Norms final : Callback {
    explicit Norms(ToyModule& watched) : module(watched) {}
    void on_before_optimizer_step(OptimizerEvent&) override {
      weight = at::norm(module.weight.grad()).item<double>();
      bias = at::norm(module.bias.grad()).item<double>();
    }
    ToyModule& module;
    double weight = 0, bias = 0;
  };
  Toy toy;
  toy.options.max_epochs = 1;
  toy.options.log_every_n_steps = 1;
  auto norms = std::make_shared<Norms>(toy.module);
  toy.fit({norms, shipped_plugin("grad_norm")});
  const auto& metrics = toy.trainer->callback_metrics();
  CHECK(metrics.at("grad_norm/weight") == Approx(norms->weight));
  CHECK(metrics.at("grad_norm/bias") == Approx(norms->bias));
  CHECK(metrics.at("grad_norm/total") == Approx(std::hypot(norms->weight, norms->bias)));
}

TEST_CASE("grad_norm takes the largest magnitude, too, and leaves out steps that are not logged") {
  Toy toy;
  toy.options.max_epochs = 1;
  toy.options.log_every_n_steps = 100;
  toy.fit({shipped_plugin("grad_norm", R"({"norm_type": "inf"})")});
  CHECK_FALSE(toy.trainer->callback_metrics().contains("grad_norm/total"));
  toy.options.log_every_n_steps = 1;
  toy.fit({shipped_plugin("grad_norm", R"({"norm_type": "inf", "per_parameter": false})")});
  CHECK(toy.trainer->callback_metrics().contains("grad_norm/total"));
  CHECK_FALSE(toy.trainer->callback_metrics().contains("grad_norm/weight"));
}

TEST_CASE("nan_guard stops the run and names the parameter") {
  Toy toy;
  toy.options.max_epochs = 3;
  CapturedLog log;
  int batches = 0;
  toy.module.during_step = [&](const std::string& stage, Batch& batch) {
    if (stage == "train" && ++batches == 3) batch[0].mul_(std::numeric_limits<double>::infinity());
  };
  toy.fit({shipped_plugin("nan_guard")});
  CHECK(batches == 3);
  CHECK(log.count("the gradient of weight has NaN elements") == 1);
}

TEST_CASE("loss_limit stops a real training") {
  Toy toy;
  toy.options.max_epochs = 3;
  auto watcher = std::make_shared<Watcher>(toy.module);
  toy.fit({watcher, shipped_plugin("loss_limit", R"({"limit": 1e-9})")});
  CHECK(watcher->trained.size() == 1);
}

}  // namespace training_test
