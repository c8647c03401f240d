#include "grapnel/callbacks/batch_size_finder.h"

#include <new>

#include "catch.h"
#include "grapnel/callbacks/registry.h"
#include "tuned.h"

namespace batch_size_finder_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
using Sizes = std::vector<int64_t>;

namespace {

BatchSizeFinderOptions one_step(BatchSizeSearch mode = BatchSizeSearch::power) {
  return {.mode = mode, .steps_per_trial = 1, .margin = 0};
}

struct Fixture {
  std::shared_ptr<BatchSizeFinder> fit(BatchSizeFinderOptions options) {
    auto finder = std::make_shared<BatchSizeFinder>(std::move(options));
    TrainerOptions trainer_options = quiet(1);
    trainer_options.max_steps = 1;
    Trainer trainer(trainer_options, {finder});
    trainer.fit(module, data);
    CHECK(trainer.global_step() == 1);
    return finder;
  }
  TunedModule module;
  TunedData data{400};
};

}  // namespace

TEST_CASE("BatchSizeFinder's power mode doubles the size until memory runs out, then takes half") {
  Fixture fixture;
  fixture.module.largest = 20;
  CHECK(fixture.fit(one_step())->optimal_batch_size() == 16);
  CHECK(fixture.module.sizes == Sizes{2, 4, 8, 16, 32, 16});
  CHECK(fixture.data.batch_size == 16);
}

TEST_CASE("BatchSizeFinder's binsearch mode finds the largest size, less its margin") {
  Fixture fixture;
  fixture.module.largest = 37;
  CHECK(fixture.fit(one_step(BatchSizeSearch::binsearch))->optimal_batch_size() == 37);
  Fixture with_margin;
  with_margin.module.largest = 37;
  auto options = one_step(BatchSizeSearch::binsearch);
  options.margin = 0.1;
  CHECK(with_margin.fit(options)->optimal_batch_size() == 33);
  CHECK(with_margin.data.batch_size == 33);
  CHECK(with_margin.module.sizes.back() == 33);
}

TEST_CASE("BatchSizeFinder stops at the data set's size, even if that doesn't fit") {
  Fixture all;
  all.data = TunedData(10);
  CHECK(all.fit(one_step(BatchSizeSearch::binsearch))->optimal_batch_size() == 16);
  Fixture too_much;
  too_much.data = TunedData(40);
  too_much.module.largest = 33;
  CHECK(too_much.fit(one_step(BatchSizeSearch::binsearch))->optimal_batch_size() == 33);
}

TEST_CASE("max_trials and max_val limit BatchSizeFinder") {
  Fixture trials;
  auto options = one_step();
  options.max_trials = 3;
  CHECK(trials.fit(options)->optimal_batch_size() == 8);
  Fixture value;
  options = one_step(BatchSizeSearch::binsearch);
  options.max_val = 48;
  CHECK(value.fit(options)->optimal_batch_size() == 48);
}

TEST_CASE("a training after BatchSizeFinder's search equals one without it") {
  const auto trained = [](bool search) {
    TunedModule module;
    module.largest = 20;
    TunedData data(64);
    data.batch_size = search ? 2 : 16;
    std::vector<CallbackHandle> callbacks;
    if (search) callbacks.push_back(std::make_shared<BatchSizeFinder>());
    Trainer trainer(quiet(2), callbacks);
    trainer.fit(module, data);
    CHECK(trainer.global_step() == 8);
    return module.state();
  };
  CHECK(trained(true) == trained(false));
}

TEST_CASE(
    "an error other than out of memory leaves BatchSizeFinder, and the old size is restored") {
  Fixture fixture;
  fixture.module.fails_at = 4;
  const auto before = fixture.module.state();
  CHECK_THROWS_WITH(fixture.fit(one_step()), "scripted");
  CHECK(fixture.data.batch_size == 2);
  CHECK(fixture.module.state() == before);
}

TEST_CASE("BatchSizeFinder searches for evaluations too, which then use the size found") {
  TunedModule module;
  module.largest = 20;
  TunedData data(40);
  Trainer trainer(quiet(1), {std::make_shared<BatchSizeFinder>(one_step())});
  trainer.test(module, data);
  CHECK(data.batch_size == 16);
  CHECK(Sizes(module.sizes.end() - 3, module.sizes.end()) == Sizes{16, 16, 8});
  data.batch_size = 2;
  const auto predictions = trainer.predict(module, data);
  CHECK(data.batch_size == 16);
  REQUIRE(predictions.size() == 1);
  CHECK(predictions[0].size() == 3);
}

TEST_CASE("BatchSizeFinder sets a batch size that is only a hyper-parameter") {
  class Hyper : public TunedModule {
   public:
    std::shared_ptr<DataLoader> train_dataloader() override {
      const int64_t size = hyper_parameters.at("bs").to_int();
      return std::make_shared<TensorLoader>(
          std::vector<at::Tensor>{at::zeros({50, 3}), at::zeros({50, 1})},
          TensorLoaderOptions{.batch_size = size});
    }
  } module;
  module.hyper_parameters["bs"] = 2;
  module.largest = 10;
  auto options = one_step();
  options.batch_arg_name = "bs";
  Trainer trainer(quiet(1), {std::make_shared<BatchSizeFinder>(options)});
  trainer.fit(module);
  CHECK(module.hyper_parameters.at("bs").to_int() == 8);
}

TEST_CASE("BatchSizeFinder refuses what it can't search, with the reason") {
  TunedModule module;
  Trainer trainer(quiet(1), {std::make_shared<BatchSizeFinder>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), Contains("dataloaders"));
  TunedData data;
  Trainer named(
      quiet(1),
      {std::make_shared<BatchSizeFinder>(BatchSizeFinderOptions{.batch_arg_name = "bs"})});
  CHECK_THROWS_WITH(named.fit(module, data), Contains("'bs'"));
  class Two : public TunedData {
   public:
    DataLoaders test_dataloaders() override { return {train_dataloader(), train_dataloader()}; }
  } two;
  CHECK_THROWS_WITH(trainer.test(module, two), Contains("several dataloaders"));
  CHECK_THROWS_WITH(BatchSizeFinder({.margin = 1.0}),
                    Contains("margin must be at least 0 and below 1"));
  CHECK_THROWS_WITH(BatchSizeFinder({.init_val = 0}), Contains("init_val"));
  CHECK_THROWS_WITH(
      make_callback("batch_size_finder", parse_json(R"({"mode": "fast"})", "run.json"),
                    "callbacks.batch_size_finder"),
      Contains("'fast'") && Contains("binsearch"));
}

TEST_CASE("fast_dev_run skips BatchSizeFinder") {
  const CapturedLog log;
  TunedModule module;
  TunedData data;
  TrainerOptions options = quiet(1);
  options.fast_dev_run = 1;
  const auto finder = std::make_shared<BatchSizeFinder>();
  Trainer trainer(options, {finder});
  trainer.fit(module, data);
  CHECK_FALSE(finder->optimal_batch_size().has_value());
  CHECK_THAT(log.text(), Contains("warning: the batch-size finder does nothing"));
}

}  // namespace batch_size_finder_test
