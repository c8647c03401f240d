#include "grapnel/callbacks/learning_rate_finder.h"

#include <cmath>
#include <limits>

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/callbacks/registry.h"
#include "temp_dir.h"
#include "tuned.h"

namespace learning_rate_finder_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

LearningRateFinderOptions short_search() {
  return {.min_lr = 1e-4, .max_lr = 1.0, .num_training_steps = 20, .early_stop_threshold = {}};
}

// Searches at the start of each epoch after the first.
class Later final : public LearningRateFinder {
 public:
  using LearningRateFinder::LearningRateFinder;
  void on_fit_start(Event&) override {}
  void on_train_epoch_start(Event& event) override {
    if (event.trainer.current_epoch() > 0) lr_find(event);
  }
};

}  // namespace

TEST_CASE("a fit after a learning-rate search equals one without it, but for the rate found") {
  const auto trained = [](bool search, std::vector<CallbackHandle> callbacks) {
    TunedModule module;
    module.lr = 0.03;
    if (search) {
      auto options = short_search();
      options.update_attr = false;
      callbacks.push_back(std::make_shared<LearningRateFinder>(options));
    }
    TrainerOptions options = quiet(3);
    options.seed = 7;
    Trainer trainer(options, callbacks);
    TunedData data;
    trainer.fit(module, data);
    CHECK(trainer.global_step() == 3 * data.batches());
    CHECK(trainer.optimizers()[0]->groups()[0].options.at("lr") == 0.03);
    return std::pair(module.state(), module.noise);
  };
  const auto with = trained(true, {});
  const auto without = trained(false, {});
  CHECK(with.first == without.first);
  // The random numbers of the training go on where they were; those of the search come on top.
  CHECK(std::equal(without.second.rbegin(), without.second.rend(), with.second.rbegin()));
}

TEST_CASE("the learning rate found is set in the module and the optimizer") {
  TunedModule module;
  module.hyper_parameters["lr"] = 0.5;
  const CapturedLog log;
  const auto finder = std::make_shared<LearningRateFinder>(short_search());
  Trainer trainer(quiet(1), {finder});
  TunedData data;
  trainer.fit(module, data);
  REQUIRE(finder->optimal_lr().has_value());
  const auto rate = finder->optimal_lr()->suggestion();
  REQUIRE(rate.has_value());
  CHECK(finder->optimal_lr()->lr.size() == 20);
  CHECK(finder->optimal_lr()->lr.front() == Approx(1e-4));
  CHECK(finder->optimal_lr()->lr.back() == Approx(1.0));
  CHECK(module.lr == *rate);
  CHECK(module.hyper_parameters.at("lr").to_double() == *rate);
  CHECK(trainer.optimizers()[0]->groups()[0].options.at("lr") == *rate);
  CHECK_THAT(log.text(), Contains("the learning rate is set to"));
}

TEST_CASE("the learning rate found in a resumed fit is the one that it trains with") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  TunedData data;
  {
    TunedModule module;
    Trainer trainer(quiet(1));
    trainer.fit(module, data);
    trainer.save_checkpoint(file);
  }
  TunedModule module;
  auto options = short_search();
  options.num_training_steps = 3 * data.batches();  // more than the fit's epochs have
  const auto finder = std::make_shared<LearningRateFinder>(options);
  Trace trace;
  const auto recorder = std::make_shared<Recorder>(trace);
  std::vector<double> rates;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook != "on_train_batch_start") return;
    rates.push_back(trainer.optimizers()[0]->groups()[0].options.at("lr"));
  };
  const CapturedLog log;
  Trainer trainer(quiet(2), {finder, recorder});
  trainer.fit(module, data, {.ckpt_path = file.string()});
  REQUIRE(finder->optimal_lr().has_value());
  CHECK(finder->optimal_lr()->lr.size() == static_cast<size_t>(options.num_training_steps));
  const double suggestion = finder->optimal_lr()->suggestion().value_or(0);
  CHECK(module.lr == suggestion);
  CHECK(suggestion != 0.01);
  CHECK(rates == std::vector<double>(static_cast<size_t>(data.batches()), suggestion));
  CHECK(trainer.global_step() == 2 * data.batches());
  CHECK_THAT(log.text(), !Contains("ended early"));
}

TEST_CASE("a learning-rate search within a fit starts from the trained weights and restores them") {
  TunedModule module;
  auto options = short_search();
  options.update_attr = false;
  const auto finder = std::make_shared<Later>(options);
  Trace trace;
  Trainer trainer(quiet(2), {finder, std::make_shared<StepCounter>(trace)});
  TunedData data;
  trainer.fit(module, data);
  CHECK(trainer.global_step() == 2 * data.batches());
  // The callbacks of the fit heard nothing of the search.
  CHECK(trace.size() == static_cast<size_t>(2 * data.batches()));
  CHECK(finder->optimal_lr()->total_batch_idx == data.batches() + 20 - 1);

  TunedModule plain;
  Trainer reference(quiet(2));
  TunedData again;
  reference.fit(plain, again);
  CHECK(module.state() == plain.state());
}

TEST_CASE("an error in a learning-rate search passes through and everything is restored") {
  TunedModule module;
  module.fails_at = 5;
  const auto before = module.state();
  Trainer trainer(quiet(1), {std::make_shared<LearningRateFinder>(short_search())});
  TunedData data;
  CHECK_THROWS_WITH(trainer.fit(module, data), "scripted");
  CHECK(module.state() == before);
  CHECK(trainer.global_step() == 0);
  CHECK(module.lr == 0.01);
  CHECK(trainer.optimizers()[0]->state().empty());
  CHECK(trainer.callbacks().size() == 1);
  CHECK(module.weight.grad().defined() == false);
  module.fails_at = -1;
  CHECK_NOTHROW(trainer.fit(module, data));
  CHECK(trainer.global_step() == data.batches());
}

TEST_CASE("a diverging loss ends the learning-rate search") {
  TunedModule module;
  const CapturedLog log;
  const auto finder = std::make_shared<LearningRateFinder>(LearningRateFinderOptions{
      .min_lr = 0.01, .max_lr = 1e4, .num_training_steps = 60, .update_attr = false});
  TrainerOptions options = quiet(20);
  options.max_steps = 1;
  Trainer trainer(options, {finder});
  TunedData data;
  trainer.fit(module, data);
  CHECK(finder->optimal_lr()->lr.size() < 60);
  CHECK(finder->optimal_lr()->lr.size() == finder->optimal_lr()->loss.size());
  CHECK_THAT(log.text(), Contains("diverges"));
}

TEST_CASE("a signal during a learning-rate search interrupts the run") {
  TunedModule module;
  module.interrupts_at = 3;
  Trainer trainer(quiet(1), {std::make_shared<LearningRateFinder>(short_search())});
  TunedData data;
  CHECK_THROWS_AS(trainer.fit(module, data), Interrupted);
  CHECK(trainer.state().status == Status::interrupted);
  CHECK(trainer.global_step() == 0);
}

TEST_CASE("LearningRateFinder refuses a run whose rate can't be searched, with the reason") {
  TunedData data;
  {
    ToyModule module;  // has no rate to set
    Trainer trainer(quiet(1), {std::make_shared<LearningRateFinder>()});
    CHECK_THROWS_WITH(trainer.fit(module, data),
                      Contains("learning_rate") && Contains("attr_name"));
  }
  {
    TunedModule module;
    Trainer trainer(
        quiet(1),
        {std::make_shared<LearningRateFinder>(LearningRateFinderOptions{.attr_name = "speed"})});
    CHECK_THROWS_WITH(trainer.fit(module, data), Contains("'speed'"));
  }
  CHECK_THROWS_WITH(LearningRateFinder({.min_lr = 0}), Contains("min_lr"));
  CHECK_THROWS_WITH(LearningRateFinder({.min_lr = 1, .max_lr = 1}), Contains("max_lr"));
  CHECK_THROWS_WITH(LearningRateFinder({.num_training_steps = 0}), Contains("num_training_steps"));
  const auto from = [](const char* text) {
    return make_callback("learning_rate_finder", parse_json(text, "run.json"), "callbacks.finder");
  };
  CHECK_THROWS_WITH(from(R"({"mode": "cubic"})"), Contains("'cubic'") && Contains("linear"));
  CHECK_THROWS_WITH(from(R"({"min_lr": 2})"), Contains("max_lr"));
  CHECK_NOTHROW(from(R"({"mode": "Linear", "early_stop_threshold": null})"));
}

TEST_CASE("the suggested learning rate is where the loss falls fastest, past the skipped points") {
  LRFindResult found;
  for (int i = 0; i < 30; ++i) {
    found.lr.push_back(1e-4 * std::pow(1.3, i));
    found.loss.push_back(1.0 / (1.0 + std::exp(i - 18.0)));
  }
  REQUIRE(found.suggested_index().has_value());
  CHECK(*found.suggested_index() == 17);
  found.loss[17] = std::numeric_limits<double>::quiet_NaN();
  CHECK(*found.suggested_index() != 17);
  CHECK_FALSE(found.suggested_index(28).has_value());
  const CapturedLog log;
  CHECK_FALSE(found.suggestion(29, 0).has_value());
  CHECK_THAT(log.text(), Contains("num_training_steps"));
  CHECK_FALSE(LRFindResult().suggested_index().has_value());
}

TEST_CASE("the learning-rate plot has both axes, the line with its gaps, and the suggestion") {
  const TempDir directory;
  TunedModule module;
  auto options = short_search();
  options.plot = directory / "plots/lr.svg";
  const auto finder = std::make_shared<LearningRateFinder>(options);
  Trainer trainer(quiet(1), {finder});
  TunedData data;
  trainer.fit(module, data);
  const std::string svg = read_text(directory / "plots/lr.svg");
  CHECK_THAT(svg, Catch::StartsWith("<svg") && Catch::EndsWith("</svg>\n"));
  CHECK_THAT(svg, Contains("learning rate") && Contains("suggestion: ") && Contains(">0.01<"));

  LRFindResult broken;
  CHECK_THAT(broken.to_svg(), Contains("no finite loss"));
  broken.lr = {0.1, 0.2, 0.3};
  broken.loss = {1.0, std::numeric_limits<double>::quiet_NaN(), 1.0};
  CHECK_THAT(broken.to_svg(), !Contains("nan") && !Contains("suggestion") && !Contains("inf"));
}

}  // namespace learning_rate_finder_test
