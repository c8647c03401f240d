// What the Trainer's own functions promise beyond the loop.
#include "grapnel/trainer.h"

#include "../support/recorder.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/model_summary.h"
#include "grapnel/callbacks/rich_model_summary.h"
#include "grapnel/data/tensor_loader.h"
#include "temp_dir.h"

namespace trainer_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

class TestedModule : public ToyModule {
 public:
  StepOutput test_step(Batch& batch, int64_t, int64_t) override {
    log("test_loss", (forward(batch[0]) - batch[1]).pow(2).mean());
    log("two", 2.0);
    return {};
  }
};

}  // namespace

TEST_CASE("validate and test log their results, one line per data loader, unless verbose is off") {
  TestedModule module;
  Trainer trainer(quiet(1));
  const CapturedLog log;
  trainer.test(module, std::make_shared<ToyLoader>(1));
  CHECK_THAT(log.text(), Contains("info: test: test_loss=") && Contains(", two=2\n"));
  trainer.validate(module,
                   DataLoaders{std::make_shared<ToyLoader>(1), std::make_shared<ToyLoader>(2)});
  CHECK_THAT(log.text(), Contains("info: validate, data loader 0: val_loss/dataloader_idx_0=") &&
                             Contains("info: validate, data loader 1: val_loss/dataloader_idx_1="));
  const size_t before = log.text().size();
  trainer.test(module, std::make_shared<ToyLoader>(1), {.verbose = false});
  CHECK(log.text().substr(before).find("test_loss") == std::string::npos);
}

TEST_CASE("a Trainer refuses a null logger") {
  TrainerOptions options = quiet(1);
  options.loggers = {nullptr};
  CHECK_THROWS_WITH(Trainer(options), Contains("a logger is null"));
}

TEST_CASE("a device that isn't there is refused when the Trainer is made, in plain words") {
  if (at::hasCUDA()) {
    CHECK_THROWS_WITH(Trainer({.device = "cuda:99"}), Contains("device=cuda:99"));
    return;
  }
  for (const std::string device : {"cuda", "cuda:1"}) {
    CHECK_THROWS_WITH(Trainer({.device = device}),
                      Contains("device=" + device + ": there is no CUDA device here") &&
                          Contains("use device=cpu"));
  }
}

TEST_CASE("a checkpoint whose directory can't be made is an IoError that names it") {
  const TempDir directory;
  const std::filesystem::path file = directory.write("file", "in the way");
  ToyModule module;
  Trainer trainer(quiet(1));
  trainer.fit(module, toy_data());
  CHECK_THROWS_AS(trainer.save_checkpoint(file / "below" / "a.ckpt"), IoError);
  CHECK_THROWS_WITH(trainer.save_checkpoint(file / "below" / "a.ckpt"),
                    Contains("cannot create directory") && Contains("below"));
}

TEST_CASE("an evaluation doesn't keep the loaded checkpoint in memory") {
  const TempDir directory;
  const std::string file = (directory / "a.ckpt").string();
  using Weak = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;
  class Watch final : public Callback {
   public:
    StateDict state_dict() const override { return {{"here", true}}; }
    void on_load_checkpoint(LoadCheckpoint& event) override {
      const at::Tensor& tensor =
          event.checkpoint.at("state_dict").to_dict().at("weight").to_tensor();
      saved = Weak(tensor.getIntrusivePtr());
    }
    void on_validation_start(Event&) override { kept_in_validation = !saved.expired(); }
    Weak saved{at::empty({0}).getIntrusivePtr()};
    std::optional<bool> kept_in_validation;
  };
  ToyModule module;
  {
    Trainer trainer(quiet(1), {std::make_shared<Watch>()});
    trainer.fit(module, toy_data());
    trainer.save_checkpoint(file);
  }
  auto watch = std::make_shared<Watch>();
  Trainer trainer(quiet(1), {watch});
  trainer.validate(module, std::make_shared<ToyLoader>(1), {.ckpt_path = file});
  CHECK(watch->kept_in_validation == false);
}

TEST_CASE("weights are leased all together or not at all") {
  ToyModule module;
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  int failures = 0;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook != "on_train_start") return;
    const at::Tensor before = module.weight.detach().clone();
    // The second has no data that could be copied to the model's device.
    const at::Tensor nowhere = at::empty({1}, at::TensorOptions().device(at::kMeta));
    try {
      trainer.lease_weights({{"weight", at::ones({3, 1})}, {"bias", nowhere}}, "a test");
    } catch (const std::exception&) {
      ++failures;
    }
    CHECK(at::equal(module.weight, before));
    // Nothing is taken for leased.
    const Lease lease = trainer.lease_weights({{"weight", at::ones({3, 1})}}, "a test");
    CHECK(at::equal(module.weight, at::ones({3, 1})));
  };
  Trainer trainer(quiet(1), {recorder});
  trainer.fit(module, toy_data());
  CHECK(failures == 1);
}

TEST_CASE("leases of one weight stack, with masks on top, and can end in any order") {
  ToyModule module;
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  bool seen = false;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook != "on_train_start") return;
    seen = true;
    const at::Tensor before = module.weight.detach().clone();
    const at::Tensor mask = at::tensor({1.0F, 0.0F, 1.0F}).view({3, 1});
    Lease masked = trainer.mask_weights({{"weight", mask}}, "a mask");
    CHECK(at::equal(module.weight, before * mask));
    Lease ones = trainer.lease_weights({{"weight", at::ones({3, 1})}}, "ones");
    CHECK(at::equal(module.weight, mask));
    Lease twos = trainer.lease_weights({{"weight", at::full({3, 1}, 2.0)}}, "twos");
    CHECK(at::equal(module.weight, mask * 2));
    CHECK(at::equal(trainer.training_tensor("weight"), before));
    ones.end();
    CHECK(at::equal(module.weight, mask * 2));
    masked.end();
    CHECK(at::equal(module.weight, at::full({3, 1}, 2.0)));
    twos.end();
    CHECK(at::equal(module.weight, before));
    CHECK_THROWS_WITH(trainer.mask_weights({{"weight", at::ones({2, 1})}}, "a mask"),
                      Catch::Contains("another shape"));
  };
  Trainer trainer(quiet(1), {recorder});
  trainer.fit(module, toy_data());
  CHECK(seen);
}

TEST_CASE("predict returns every sample, also with a loader that has drop_last") {
  const auto loader =
      std::make_shared<TensorLoader>(std::vector<at::Tensor>{at::ones({5, 3})},
                                     TensorLoaderOptions{.batch_size = 2, .drop_last = true});
  struct Predicting : ToyModule {
    TensorTree predict_step(Batch& batch, int64_t, int64_t) override {
      if (fails) throw std::runtime_error("scripted");
      return forward(batch[0]);
    }
    bool fails = false;
  } predicting;
  Trainer trainer(quiet(1));
  const auto predictions = trainer.predict(predicting, DataLoaders{loader});
  REQUIRE(predictions.at(0).size() == 3);
  CHECK(predictions[0][2].tensor.size(0) == 1);
  CHECK(loader->size() == 2);
  predicting.fails = true;
  CHECK_THROWS_WITH(trainer.predict(predicting, DataLoaders{loader}), "scripted");
  CHECK(loader->size() == 2);
}

TEST_CASE("a Trainer adds ModelSummary unless it is turned off or one is given") {
  const auto count = [](const Trainer& trainer) {
    int64_t found = 0;
    for (const CallbackHandle& handle : trainer.callbacks()) {
      found += dynamic_cast<const ModelSummary*>(handle.callback.get()) != nullptr ? 1 : 0;
    }
    return found;
  };
  TrainerOptions options = quiet(1);
  CHECK(count(Trainer(options)) == 0);
  CHECK(count(Trainer(options, {std::make_shared<ModelSummary>()})) == 1);
  options.enable_model_summary = true;
  CHECK(count(Trainer(options)) == 1);
  CHECK(count(Trainer(options, {std::make_shared<RichModelSummary>()})) == 1);
  options.enable_model_summary.reset();
  CHECK(count(Trainer(options)) == 1);
  options.enable_checkpointing.reset();
  options.barebones = true;
  CHECK(count(Trainer(options)) == 0);
  options.enable_model_summary = true;
  CHECK_THROWS_WITH(Trainer(options), Catch::Contains("enable_model_summary"));
}

TEST_CASE("a run logs a once-only message once, whatever other trainers do meanwhile") {
  class Lossless : public ToyModule {
   public:
    StepOutput training_step(Batch&, int64_t) override { return {}; }
  };
  // Trains something else with a trainer of its own after every epoch.
  class TrainsAnother : public Callback {
   public:
    void on_train_epoch_end(Event&) override {
      Lossless other;
      Trainer(quiet(1)).fit(other, toy_data());
    }
  };
  const auto times_said = [](const CapturedLog& log) {
    const std::string text = log.text();
    size_t times = 0;
    for (size_t at = 0; (at = text.find("returned no loss", at)) != std::string::npos; ++at)
      ++times;
    return times;
  };
  Lossless module;
  Trainer trainer(quiet(3), {std::make_shared<TrainsAnother>()});
  const CapturedLog log;
  trainer.fit(module, toy_data());
  CHECK(times_said(log) == 1 + 3);

  Trainer again(quiet(3));
  again.fit(module, toy_data());
  CHECK(times_said(log) == 1 + 3 + 1);
}

}  // namespace trainer_test
