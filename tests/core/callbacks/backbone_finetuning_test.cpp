#include "grapnel/callbacks/backbone_finetuning.h"

#include "../support/backbone.h"
#include "../support/resumed.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"

namespace backbone_finetuning_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// The rate of the backbone's group in each epoch; 0 while there is none.
std::vector<double> backbone_rates(BackboneFinetuningOptions options, int64_t epochs) {
  class Rates final : public Callback {
   public:
    explicit Rates(std::vector<double>& seen) : seen_(seen) {}
    void on_train_epoch_end(Event& event) override {
      const auto& groups = event.trainer.optimizers()[0]->groups();
      seen_.push_back(groups.size() < 2 ? 0.0 : groups[1].options.at("lr"));
    }

   private:
    std::vector<double>& seen_;
  };
  std::vector<double> seen;
  BackboneModule module;
  Trainer trainer(quiet(epochs), {std::make_shared<BackboneFinetuning>(std::move(options)),
                                  std::make_shared<Rates>(seen)});
  trainer.fit(module, toy_data());
  return seen;
}

}  // namespace

TEST_CASE("the backbone's rate starts at a share of the head's, grows, and stops at the head's") {
  const auto rates = backbone_rates({.unfreeze_backbone_at_epoch = 1}, 6);
  REQUIRE(rates.size() == 6);
  CHECK(rates[0] == 0.0);
  CHECK(rates[1] == Approx(0.005));
  CHECK(rates[2] == Approx(0.01));
  CHECK(rates[4] == Approx(0.04));
  CHECK(rates[5] == Approx(0.05));
}

TEST_CASE("without should_align the backbone's rate passes the head's") {
  const auto rates =
      backbone_rates({.unfreeze_backbone_at_epoch = 0,
                      .lambda_func = [](int64_t epoch) { return epoch == 2 ? 4. : 1.; },
                      .backbone_initial_lr = 0.02,
                      .should_align = false},
                     3);
  CHECK(rates[0] == Approx(0.02));
  CHECK(rates[1] == Approx(0.08));  // the function is asked for the epoch after
  CHECK(rates[2] == Approx(0.08));
}

TEST_CASE("a batch normalization in the backbone is trained while the rest is frozen") {
  BackboneModule module;
  const auto before = module.copies();
  Trainer trainer(quiet(1), {std::make_shared<BackboneFinetuning>()});
  trainer.fit(module, toy_data());
  CHECK(at::equal(module.tensor("backbone.0.weight"), before.at("backbone.0.weight")));
  CHECK_FALSE(at::equal(module.tensor("backbone.1.bias"), before.at("backbone.1.bias")));
}

TEST_CASE("a model without a backbone is refused before anything runs") {
  ToyModule module;
  Trainer trainer(quiet(1), {std::make_shared<BackboneFinetuning>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()),
                    Catch::Contains("BackboneFinetuning needs a part named backbone"));
  CHECK(trainer.global_step() == 0);
}

TEST_CASE("options of a finetuning out of range are refused by name") {
  CHECK_THROWS_WITH(
      BackboneFinetuning({.unfreeze_backbone_at_epoch = -1}),
      Catch::Contains("unfreeze_backbone_at_epoch must be at least 0, found the integer -1"));
  CHECK_THROWS_WITH(BackboneFinetuning({.backbone_initial_ratio_lr = 0.0}),
                    Catch::Contains("backbone_initial_ratio_lr"));
  CHECK_THROWS_WITH(BackboneFinetuning({.backbone_initial_lr = -0.1}),
                    Catch::Contains("backbone_initial_lr"));
  CHECK_THROWS_WITH(BackboneFinetuning({.lambda_func = {}}), Catch::Contains("lambda_func"));
  CHECK_THROWS_AS(BackboneFinetuning({.rounding = 30}), ConfigError);
}

TEST_CASE("verbose logs both learning rates in every epoch from the unfreezing on") {
  const CapturedLog log;
  backbone_rates({.unfreeze_backbone_at_epoch = 1, .verbose = true, .rounding = 3}, 3);
  CHECK_THAT(log.text(), Catch::Contains("learning rate 0.05, of the backbone 0.005") &&
                             Catch::Contains("learning rate 0.05, of the backbone 0.01"));
}

TEST_CASE("a resumed finetuning has the backbone's parameter group, learning rate and momentum") {
  const ResumedTraining training{.callbacks = [] {
    return std::vector<CallbackHandle>{std::make_shared<BackboneFinetuning>(
        BackboneFinetuningOptions{.unfreeze_backbone_at_epoch = 1})};
  }};
  const auto whole = training.in_one_go();
  for (const auto& [hook, call] : places_to_be_killed()) {
    INFO(hook << " " << call);
    CHECK(differing_weights(training.killed_at(hook, call), whole) == "");
  }
}

TEST_CASE("a second fit of the same trainer continues with the unfrozen backbone") {
  BackboneModule module;
  Trainer trainer(quiet(2), {std::make_shared<BackboneFinetuning>(
                                BackboneFinetuningOptions{.unfreeze_backbone_at_epoch = 1})});
  trainer.fit(module, toy_data());
  trainer.set_max_epochs(3);
  trainer.fit(module, toy_data());
  const auto& groups = trainer.optimizers()[0]->groups();
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].options.at("lr") == 0.05);
  CHECK(groups[1].options.at("lr") == Approx(0.01));
  CHECK(module.tensor("backbone.0.weight").requires_grad());
}

}  // namespace backbone_finetuning_test
