#include "grapnel/callbacks/base_finetuning.h"

#include "../support/backbone.h"
#include "../support/resumed.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"

namespace base_finetuning_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

struct Plan {
  std::vector<std::string> parts = {"backbone"};
  bool train_bn = false;
  int64_t unfreeze_at = 2;
  UnfreezeOptions unfreeze = {};
};

class PlannedFinetuning final : public BaseFinetuning {
 public:
  explicit PlannedFinetuning(Plan plan) : plan_(std::move(plan)) {}

 protected:
  void freeze_before_training(Module& module) override {
    freeze(module, plan_.parts, plan_.train_bn);
  }
  void finetune(Module& module, int64_t epoch, Optimizer& optimizer, int64_t) override {
    if (epoch == plan_.unfreeze_at) {
      unfreeze_and_add_param_group(module, plan_.parts, optimizer, plan_.unfreeze);
    }
  }

 private:
  Plan plan_;
};

// Throws at the start of an epoch.
class FailAt final : public Callback {
 public:
  explicit FailAt(int64_t epoch) : epoch_(epoch) {}
  void on_train_batch_end(TrainBatchEnd& event) override {
    if (event.trainer.current_epoch() == epoch_) throw std::runtime_error("scripted");
  }

 private:
  int64_t epoch_;
};

}  // namespace

TEST_CASE("frozen parameters stay as they are until they are unfrozen, and are then trained") {
  BackboneModule module;
  const auto before = module.copies();
  Trainer first(quiet(2), {std::make_shared<PlannedFinetuning>(Plan{})});
  first.fit(module, toy_data());
  CHECK(at::equal(module.tensor("backbone.0.weight"), before.at("backbone.0.weight")));
  CHECK(at::equal(module.tensor("backbone.1.weight"), before.at("backbone.1.weight")));
  CHECK_FALSE(at::equal(module.tensor("head.weight"), before.at("head.weight")));
  CHECK_FALSE(module.tensor("backbone.0.weight").requires_grad());  // as the callback left it
  CHECK(first.optimizers()[0]->groups().size() == 1);

  BackboneModule other;
  Trainer second(quiet(3), {std::make_shared<PlannedFinetuning>(Plan{})});
  second.fit(other, toy_data());
  CHECK(other.tensor("backbone.0.weight").requires_grad());
  CHECK_FALSE(at::equal(other.tensor("backbone.0.weight"), before.at("backbone.0.weight")));
  const auto& groups = second.optimizers()[0]->groups();
  REQUIRE(groups.size() == 2);
  CHECK(groups[1].params.size() == 4);
  CHECK(groups[1].options.at("lr") == Approx(0.05 / 10));
}

TEST_CASE("a frozen batch normalization keeps its running statistics, also where it validates") {
  BackboneModule module;
  const auto before = module.copies();
  Trainer trainer(quiet(2), {std::make_shared<PlannedFinetuning>(Plan{})});
  trainer.fit(module, toy_data());
  for (const char* name : {"running_mean", "running_var", "num_batches_tracked"}) {
    INFO(name);
    const std::string full = std::string("backbone.1.") + name;
    CHECK(at::equal(module.tensor(full), before.at(full)));
  }
  CHECK(module.net().backbone->norm->is_training());

  // Unfrozen, they move again.
  BackboneModule thawed;
  Trainer longer(quiet(3), {std::make_shared<PlannedFinetuning>(Plan{})});
  longer.fit(thawed, toy_data());
  CHECK(thawed.tensor("backbone.1.num_batches_tracked").item<int64_t>() == 3);
}

TEST_CASE("with train_bn the batch normalization of a frozen part is trained") {
  BackboneModule module;
  const auto before = module.copies();
  Trainer trainer(quiet(2), {std::make_shared<PlannedFinetuning>(Plan{.train_bn = true})});
  trainer.fit(module, toy_data());
  CHECK_FALSE(module.tensor("backbone.0.weight").requires_grad());
  CHECK(module.tensor("backbone.1.weight").requires_grad());
  CHECK_FALSE(at::equal(module.tensor("backbone.1.weight"), before.at("backbone.1.weight")));
  CHECK(module.tensor("backbone.1.num_batches_tracked").item<int64_t>() == 6);
}

TEST_CASE("with train_bn=false the unfrozen group has no batch normalizations") {
  BackboneModule module;
  Trainer trainer(
      quiet(3),
      {std::make_shared<PlannedFinetuning>(Plan{.unfreeze = {.lr = 0.2, .train_bn = false}})});
  trainer.fit(module, toy_data());
  const auto& groups = trainer.optimizers()[0]->groups();
  REQUIRE(groups.size() == 2);
  CHECK(groups[1].params.size() == 2);
  CHECK(groups[1].options.at("lr") == 0.2);
}

TEST_CASE("a run that fails leaves each parameter as trainable as it was, and the statistics") {
  for (const int64_t epoch : {0, 2}) {
    BackboneModule module;
    module.tensor("backbone.0.bias").set_requires_grad(false);  // the user's own choice
    Trainer trainer(quiet(4),
                    {std::make_shared<FailAt>(epoch), std::make_shared<PlannedFinetuning>(Plan{})});
    const at::Tensor mean = module.tensor("backbone.1.running_mean").clone();
    CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "scripted");
    CHECK(module.tensor("backbone.0.weight").requires_grad());
    CHECK_FALSE(module.tensor("backbone.0.bias").requires_grad());
    CHECK(at::equal(module.tensor("backbone.1.running_mean"), mean) == (epoch == 0));
  }
}

TEST_CASE("parameters that the optimizer has already stay where they are, with a warning") {
  const CapturedLog log;
  BackboneModule module;
  Trainer trainer(quiet(2), {std::make_shared<PlannedFinetuning>(
                                Plan{.parts = {"head"}, .train_bn = true, .unfreeze_at = 1})});
  class AllTrained : public BackboneModule {
    OptimizerConfig configure_optimizers() override {
      return std::make_shared<SGD>(parameters(), SGDOptions{.lr = 0.05});
    }
  } all;
  trainer.fit(all, toy_data());
  CHECK(trainer.optimizers()[0]->groups().size() == 1);
  CHECK_THAT(log.text(), Catch::Contains("head.weight, head.bias"));
}

TEST_CASE("a part that the model lacks is refused, naming the nearest") {
  BackboneModule module;
  Trainer trainer(quiet(1), {std::make_shared<PlannedFinetuning>(Plan{.parts = {"backbon"}})});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), Catch::Contains("did you mean 'backbone'?"));
  CHECK(module.tensor("backbone.0.weight").requires_grad());
}

TEST_CASE("a finetuning callback freezes nothing in validate and test") {
  BackboneModule module;
  Trainer trainer(quiet(1), {std::make_shared<PlannedFinetuning>(Plan{})});
  trainer.validate(module, DataLoaders{std::make_shared<ToyLoader>(1)});
  CHECK(module.tensor("backbone.0.weight").requires_grad());
}

TEST_CASE("a resumed finetuning continues with the unfrozen parameters, wherever it was killed") {
  const ResumedTraining training{.callbacks = [] {
    return std::vector<CallbackHandle>{std::make_shared<PlannedFinetuning>(Plan{})};
  }};
  const auto whole = training.in_one_go();
  for (const auto& [hook, call] : places_to_be_killed()) {
    INFO(hook << " " << call);
    CHECK(differing_weights(training.killed_at(hook, call), whole) == "");
  }
}

TEST_CASE("an optimizer with other groups than the checkpoint's is refused") {
  const TempDir directory;
  BackboneModule module;
  Trainer trainer(quiet(1), {std::make_shared<PlannedFinetuning>(Plan{})});
  trainer.fit(module, toy_data());
  trainer.save_checkpoint(directory / "a.ckpt");
  class HeadBiasOnly : public BackboneModule {
    OptimizerConfig configure_optimizers() override {
      return std::make_shared<SGD>(std::vector<at::Tensor>{tensor("head.bias")}, SGDOptions{});
    }
  } other;
  Trainer again(quiet(2), {std::make_shared<PlannedFinetuning>(Plan{})});
  CHECK_THROWS_WITH(
      again.fit(other, toy_data(), {.ckpt_path = (directory / "a.ckpt").string()}),
      Catch::Contains("group 0 of the SGD optimizer") && Catch::Contains("head.weight"));
}

}  // namespace base_finetuning_test
