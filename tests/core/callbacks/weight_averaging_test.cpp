#include "grapnel/callbacks/weight_averaging.h"

#include "../support/backbone.h"
#include "../support/resumed.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/checkpoint.h"
#include "grapnel/optim/sgd.h"

namespace weight_averaging_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Notes copies of the model's weights after every optimizer step.
class StepWeights final : public Callback {
 public:
  void on_after_optimizer_step(OptimizerEvent& event) override {
    seen.push_back(event.module.state_view().find("weight")->tensor.detach().clone());
  }
  std::vector<at::Tensor> seen;
};

at::Tensor mean_of(const std::vector<at::Tensor>& tensors) {
  return at::stack(tensors).mean(0);
}

}  // namespace

TEST_CASE(
    "WeightAveraging averages the weights after every step, and the training ends with the "
    "average") {
  ToyModule module;
  auto steps = std::make_shared<StepWeights>();
  auto averaging = std::make_shared<WeightAveraging>();
  Trainer trainer(quiet(2), {averaging, steps});
  trainer.fit(module, toy_data());
  REQUIRE(steps->seen.size() == 6);
  CHECK(at::allclose(module.weight, mean_of(steps->seen)));
  CHECK(averaging->n_averaged() == 6);
  CHECK(averaging->latest_update_step() == 6);
  CHECK(module.weight.requires_grad());
}

TEST_CASE("should_update decides at which steps and epochs WeightAveraging updates") {
  class EveryOtherStep final : public WeightAveraging {
    bool should_update(std::optional<int64_t> step, std::optional<int64_t> epoch) override {
      CHECK(step.has_value() != epoch.has_value());
      return step && *step % 2 == 1;
    }
  };
  ToyModule module;
  auto steps = std::make_shared<StepWeights>();
  Trainer trainer(quiet(2), {std::make_shared<EveryOtherStep>(), steps});
  trainer.fit(module, toy_data());
  CHECK(at::allclose(module.weight, mean_of({steps->seen[1], steps->seen[3], steps->seen[5]})));
}

TEST_CASE("fit validates with the average and then restores the model's own weights") {
  BackboneModule plain;
  Trainer reference(quiet(3), {});
  reference.fit(plain, toy_data());

  BackboneModule module;
  std::vector<at::Tensor> trained;
  class Watch final : public Callback {
   public:
    explicit Watch(std::vector<at::Tensor>& trained) : trained_(trained) {}
    void on_train_epoch_end(Event& event) override {
      trained_.push_back(
          event.module.state_view().find("backbone.0.weight")->tensor.detach().clone());
    }

   private:
    std::vector<at::Tensor>& trained_;
  };
  auto averaging = std::make_shared<WeightAveraging>();
  Trainer trainer(quiet(3), {averaging, std::make_shared<Watch>(trained)});
  trainer.fit(module, toy_data(3, 1));
  REQUIRE(trained.size() == 3);
  CHECK(at::equal(trained[2], plain.tensor("backbone.0.weight")));
  REQUIRE(module.seen.size() == 3);
  CHECK_FALSE(at::equal(module.seen[1], trained[1]));
  CHECK(at::equal(module.seen[2], module.tensor("backbone.0.weight")));
}

TEST_CASE("a failure while validating an average restores the trained weights") {
  class FailInValidation final : public Callback {
   public:
    void on_validation_batch_end(EvalBatchEnd&) override { throw std::runtime_error("scripted"); }
  };
  BackboneModule plain;
  Trainer reference(quiet(1), {});
  reference.fit(plain, toy_data());

  BackboneModule module;
  Trainer trainer(quiet(1),
                  {std::make_shared<WeightAveraging>(), std::make_shared<FailInValidation>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "scripted");
  CHECK(same_weights(module.copies(), plain.copies()));
  CHECK(module.net().is_training());
}

TEST_CASE(
    "a checkpoint has the average as its weights and the trained ones in another key, also "
    "weights-only") {
  const TempDir directory;
  ToyModule module;
  auto steps = std::make_shared<StepWeights>();
  class SaveAtEpochEnd final : public Callback {
   public:
    explicit SaveAtEpochEnd(const std::filesystem::path& where) : where_(where) {}
    void on_train_epoch_end(Event& event) override {
      event.trainer.save_checkpoint(where_ / "full.ckpt");
      event.trainer.save_checkpoint(where_ / "weights.ckpt", /*weights_only=*/true);
    }

   private:
    std::filesystem::path where_;
  };
  Trainer trainer(quiet(1), {std::make_shared<WeightAveraging>(), steps,
                             std::make_shared<SaveAtEpochEnd>(directory.path())});
  trainer.fit(module, toy_data());
  const at::Tensor average = mean_of(steps->seen);
  const StateDict full = load_checkpoint_file(directory / "full.ckpt");
  CHECK(at::allclose(full.at("state_dict").to_dict().at("weight").to_tensor(), average));
  CHECK(at::equal(full.at("current_model_state").to_dict().at("weight").to_tensor(),
                  steps->seen.back()));
  CHECK(full.at("averaging_state").to_dict().at("n_averaged").to_tensor().item<int64_t>() == 3);
  const StateDict weights = load_checkpoint_file(directory / "weights.ckpt");
  CHECK(at::allclose(weights.at("state_dict").to_dict().at("weight").to_tensor(), average));
  CHECK_FALSE(weights.contains("current_model_state"));

  // Another run gets the average, also in the trainer that holds an average of its own.
  trainer.validate(module, DataLoaders{std::make_shared<ToyLoader>(1)},
                   {.ckpt_path = (directory / "full.ckpt").string()});
  CHECK(at::allclose(module.weight, average));
}

TEST_CASE("a resumed training continues the average, wherever it was killed") {
  for (const bool use_buffers : {true, false}) {
    const ResumedTraining training{.callbacks = [use_buffers] {
      return std::vector<CallbackHandle>{
          std::make_shared<WeightAveraging>(WeightAveragingOptions{.use_buffers = use_buffers})};
    }};
    const auto whole = training.in_one_go();
    for (const auto& [hook, call] : places_to_be_killed()) {
      INFO(hook << " " << call << " buffers " << use_buffers);
      CHECK(differing_weights(training.killed_at(hook, call), whole) == "");
    }
  }
}

TEST_CASE("resuming a checkpoint without an average starts a new one, with a warning") {
  const TempDir directory;
  ToyModule module;
  Trainer plain(quiet(1), {});
  plain.fit(module, toy_data());
  plain.save_checkpoint(directory / "a.ckpt");
  const CapturedLog log;
  auto averaging = std::make_shared<WeightAveraging>();
  Trainer trainer(quiet(2), {averaging});
  trainer.fit(module, toy_data(), {.ckpt_path = (directory / "a.ckpt").string()});
  CHECK(averaging->n_averaged() == 3);
  CHECK_THAT(log.text(), Catch::Contains("was written without an average"));
}

TEST_CASE("WeightAveraging refuses an unknown device") {
  CHECK_THROWS_WITH(WeightAveraging({.device = "gpu!"}), Catch::Contains("device is 'gpu!'"));
}

}  // namespace weight_averaging_test
