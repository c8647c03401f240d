// The plugin mixup in a real training: what a step is given.
#include <ATen/ops/cross_entropy_loss.h>

#include <memory>
#include <string>
#include <vector>

#include "catch.h"
#include "shipped_plugin.h"

namespace mixup_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// What the steps saw, of training and validation.
struct Seen {
  std::vector<at::Tensor> inputs, targets, validated;
};

Seen fit(Toy& toy, const std::string& parameters, const RunOptions& run = {}) {
  Seen seen;
  toy.module.during_step = [&](const std::string& stage, Batch& batch) {
    if (stage != "train") return seen.validated.push_back(batch[0].clone());
    seen.inputs.push_back(batch[0].clone());
    seen.targets.push_back(batch[1].clone());
  };
  toy.options.seed = 5;
  toy.fit({shipped_plugin("mixup", parameters)}, run);
  toy.module.during_step = nullptr;
  return seen;
}

// share of the row's own input in the mixture with the other row.
double share_of(const at::Tensor& mixed, const at::Tensor& own, const at::Tensor& other) {
  const at::Tensor direction = own - other;
  return ((mixed - other).dot(direction) / direction.dot(direction)).item<double>();
}

// Batches of 8 samples of 2 features, with classes 0 to 3.
struct Classes final : DataLoader {
  std::optional<std::int64_t> size() const override { return 3; }
  void start(std::int64_t) override { next_ = 0; }
  std::optional<Batch> next() override {
    if (next_ == 3) return {};
    ++next_;
    at::Tensor y = at::arange(8, at::kLong).remainder(4);
    y[3] = last;
    return Batch({at::stack({y.to(at::kFloat), -y.to(at::kFloat)}, 1), y}, {"x", "y"});
  }
  void skip(std::int64_t batches) override { next_ += batches; }
  std::int64_t last = 3;  // the class of the fourth sample

 private:
  std::int64_t next_ = 0;
};

struct Classifying final : ToyModule {
  Classifying() {
    weight = at::zeros({2, 4}).set_requires_grad(true);
    view_ = StateView();
    view_.add({"weight", weight});
    view_.add({"bias", bias});
  }
  StepOutput training_step(Batch& batch, std::int64_t) override {
    inputs.push_back(batch[0].clone());
    targets.push_back(batch[1].clone());
    return at::cross_entropy_loss(forward(batch[0]), batch[1]);
  }
  std::vector<at::Tensor> inputs, targets;
};

}  // namespace

TEST_CASE("mixup mixes inputs and targets of a batch with the same share and order") {
  Toy toy;
  const at::Tensor x = toy.train->x.clone();
  const Seen seen = fit(toy, R"({"alpha": 1})");
  REQUIRE(seen.inputs.size() == 4);
  int mixed = 0;
  for (std::int64_t i = 0; i < 4; ++i) {
    const at::Tensor& input = seen.inputs[static_cast<std::size_t>(i)];
    // y = 0.5 sum(x) + 0.25, and mixing keeps that.
    CHECK(at::allclose(seen.targets[static_cast<std::size_t>(i)], input.sum(1, true) * 0.5 + 0.25));
    const double first = share_of(input[0], x[2 * i], x[2 * i + 1]);
    const double second = share_of(input[1], x[2 * i + 1], x[2 * i]);
    CHECK(first == Approx(second).margin(1e-4));
    CHECK(first > -1e-5);
    CHECK(first < 1 + 1e-5);
    if (first < 0.999) ++mixed;
  }
  CHECK(mixed > 0);  // an order of two is the same order half of the time
}

TEST_CASE("mixup leaves the data set and the validation alone") {
  Toy toy;
  const at::Tensor x = toy.train->x.clone();
  const at::Tensor validated = toy.val->x.slice(0, 0, 2).clone();
  const Seen seen = fit(toy, "{}");
  CHECK(toy.train->x.equal(x));
  CHECK(seen.validated.at(0).equal(validated));
}

TEST_CASE("mixup makes probabilities of class indices, which cross entropy takes") {
  Classifying module;
  TrainerOptions options = quiet(1);
  options.seed = 5;
  Trainer(options, {shipped_plugin("mixup", R"({"alpha": 1, "num_classes": 4})")})
      .fit(module, std::make_shared<Classes>());
  REQUIRE(module.targets.size() == 3);
  const at::Tensor classes = at::arange(4, at::kFloat).unsqueeze(1);
  for (std::size_t i = 0; i < 3; ++i) {
    const at::Tensor& target = module.targets[i];
    CHECK(target.sizes() == at::IntArrayRef({8, 4}));
    CHECK(target.scalar_type() == at::kFloat);
    CHECK(at::allclose(target.sum(1), at::ones({8})));
    CHECK(target.min().item<float>() >= 0);
    // The input is the class itself: mixed alike, it is the target's mean class.
    CHECK(at::allclose(module.inputs[i].select(1, 0), target.mm(classes).select(1, 0), 1e-4, 1e-5));
  }
  CHECK_FALSE(module.targets[0].equal(module.targets[1]));
}

TEST_CASE(
    "mixup gives samples that are to be ignored no class, and mixes no class it doesn't know") {
  const CapturedLog log;
  const auto targets_with = [](std::int64_t last) {
    Classifying module;
    auto data = std::make_shared<Classes>();
    data->last = last;
    TrainerOptions options = quiet(1);
    options.seed = 5;
    Trainer(options, {shipped_plugin("mixup", R"({"alpha": 1, "num_classes": 4})")})
        .fit(module, data);
    return module.targets.at(0);
  };
  // -100 is cross entropy's ignore_index.
  CHECK(targets_with(-100).sum().item<float>() == Approx(7));
  CHECK_THROWS_AS(targets_with(4), std::exception);  // the loss refuses it, as without the plugin
  CHECK(log.count("batches are not mixed: a class index is not below num_classes") == 1);
}

TEST_CASE("mixup leaves batches that it can't mix alone, and says once why") {
  const CapturedLog log;
  Classifying module;
  Trainer(quiet(1), {shipped_plugin("mixup")}).fit(module, std::make_shared<Classes>());
  CHECK(module.targets[0].scalar_type() == at::kLong);
  CHECK(log.count("the targets are class indices; set num_classes") == 1);
  Toy toy;
  const at::Tensor x = toy.train->x.slice(0, 0, 2).clone();
  CHECK(fit(toy, R"({"target": 2})").inputs[0].equal(x));
  CHECK(log.count("batches are not mixed: they have fewer tensors") == 1);
}

TEST_CASE("mixup refuses what it could not mix") {
  CHECK_THROWS_WITH(shipped_plugin("mixup", R"({"input": 1})"),
                    Catch::Contains("input and target are both 1"));
  CHECK_THROWS_WITH(shipped_plugin("mixup", R"({"alpha": "inf"})"), Catch::Contains("alpha"));
  CHECK_THROWS_WITH(shipped_plugin("mixup", R"({"num_classes": 1000000000000})"),
                    Catch::Contains("num_classes"));
}

TEST_CASE("a training with mixup that resumes ends with the same bits") {
  const TempDir directory;
  const auto file = (directory / "a.ckpt").string();
  const auto train = [&](std::int64_t epochs, const std::string& from) {
    Toy toy;
    toy.options.max_epochs = epochs;
    fit(toy, R"({"alpha": 1})", {.ckpt_path = from});
    if (epochs == 1) toy.trainer->save_checkpoint(file);
    return toy.module.weight.detach().clone();
  };
  const at::Tensor whole = train(2, "");
  CHECK_FALSE(train(1, "").equal(whole));
  CHECK(train(2, file).equal(whole));
}

}  // namespace mixup_test
