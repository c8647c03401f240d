#include "grapnel/callbacks/stochastic_weight_averaging.h"

#include <fmt/format.h>

#include "../support/backbone.h"
#include "../support/resumed.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/gradient_accumulation_scheduler.h"
#include "grapnel/lr_schedulers/step_lr.h"

namespace stochastic_weight_averaging_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

std::shared_ptr<StochasticWeightAveraging> swa(std::variant<int64_t, double> start = int64_t{2}) {
  return std::make_shared<StochasticWeightAveraging>(StochasticWeightAveragingOptions{
      .swa_lrs = {0.01}, .swa_epoch_start = start, .annealing_epochs = 2});
}

class EpochNotes final : public Callback {
 public:
  void on_train_epoch_start(Event& event) override {
    weights.push_back(event.module.state_view().entries()[0].tensor.detach().clone());
    lrs.push_back(event.trainer.optimizers()[0]->groups()[0].options.at("lr"));
  }
  std::vector<at::Tensor> weights;
  std::vector<double> lrs;
};

}  // namespace

TEST_CASE("SWA ends with the mean of the weights at the start of each averaging epoch") {
  ToyModule module;
  auto notes = std::make_shared<EpochNotes>();
  auto averaging = swa();
  Trainer trainer(quiet(4), {averaging, notes});
  trainer.fit(module, toy_data());
  const std::vector<at::Tensor> averaged(notes->weights.begin() + 1, notes->weights.end());
  CHECK(at::allclose(module.weight, at::stack(averaged).mean(0)));
  CHECK(averaging->n_averaged() == 3);
  CHECK(averaging->latest_update_epoch() == 3);
  CHECK(notes->lrs[1] == Approx(0.05));
  CHECK(notes->lrs[2] == Approx(0.03));
  CHECK(notes->lrs[3] == Approx(0.01));
  CHECK(trainer.schedulers()[0].scheduler->type_name() == "SWALR");
}

TEST_CASE("SWA adds one epoch that changes only batch norm statistics") {
  BackboneModule module;
  module.net().backbone->norm->options.momentum(0.3);
  class ExtraEpoch final : public Callback {
   public:
    void on_train_batch_end(TrainBatchEnd& event) override {
      if (event.trainer.current_epoch() != 3) return;
      ++batches;
      auto& toy = dynamic_cast<BackboneModule&>(event.module);
      momentum = toy.net().backbone->norm->options.momentum();
    }
    int batches = 0;
    std::optional<double> momentum = 1.0;
  };
  auto extra = std::make_shared<ExtraEpoch>();
  Trainer trainer(quiet(3), {swa(), extra});
  trainer.fit(module, toy_data(3, 1));
  CHECK(extra->batches == 3);
  CHECK_FALSE(extra->momentum.has_value());
  CHECK(module.net().backbone->norm->options.momentum() == 0.3);
  CHECK(module.tensor("backbone.1.num_batches_tracked").item<int64_t>() == 3);
  CHECK(trainer.state().max_epochs == 3);
  CHECK(trainer.state().accumulate_grad_batches == 1);
}

TEST_CASE("a failure in SWA's extra epoch restores momenta and limits") {
  class FailInExtraEpoch final : public Callback {
   public:
    void on_train_batch_end(TrainBatchEnd& event) override {
      if (event.trainer.current_epoch() == 2) throw std::runtime_error("scripted");
    }
  };
  BackboneModule module;
  Trainer trainer(quiet(2), {swa(int64_t{1}), std::make_shared<FailInExtraEpoch>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "scripted");
  CHECK(module.net().backbone->norm->options.momentum() == 0.1);
  CHECK(trainer.state().max_epochs == 2);
  CHECK(trainer.state().accumulate_grad_batches == 1);
}

TEST_CASE("SWA that fails under OnError::disable takes its extra epoch back") {
  BackboneModule module;
  // Two rates for one group of parameters: found out when the averaging begins.
  CallbackHandle failing(std::make_shared<StochasticWeightAveraging>(
      StochasticWeightAveragingOptions{.swa_lrs = {0.01, 0.02}, .swa_epoch_start = int64_t{2}}));
  failing.on_error = OnError::disable;
  auto notes = std::make_shared<EpochNotes>();
  Trainer trainer(quiet(3), {failing, notes});
  trainer.fit(module, toy_data());
  CHECK(notes->lrs.size() == 3);
  CHECK(trainer.state().max_epochs == 3);
}

TEST_CASE("SWA that never started leaves the trained weights") {
  ToyModule plain;
  Trainer reference(quiet(2), {});
  reference.fit(plain, toy_data());
  ToyModule module;
  Trainer trainer(quiet(2), {swa(int64_t{9})});
  trainer.fit(module, toy_data());
  CHECK(at::equal(module.weight, plain.weight));
}

TEST_CASE("SWALR takes the place of the model's scheduler") {
  class Scheduled : public ToyModule {
    OptimizerConfig configure_optimizers() override {
      auto sgd =
          std::make_shared<SGD>(std::vector<at::Tensor>{weight, bias}, SGDOptions{.lr = 0.1});
      OptimizerConfig config(sgd);
      config.schedulers.push_back(
          {.scheduler = std::make_shared<StepLR>(sgd, 1), .interval = Interval::step});
      return config;
    }
  } module;
  const CapturedLog log;
  Trainer trainer(quiet(3), {swa()});
  trainer.fit(module, toy_data());
  CHECK(trainer.schedulers().size() == 1);
  CHECK_THAT(log.text(), Catch::Contains("replaces the scheduler StepLR by SWALR") &&
                             Catch::Contains("interval=step"));
}

TEST_CASE("SWA refuses several optimizers or schedulers, and a fraction of unlimited epochs") {
  class Two : public ToyModule {
    OptimizerConfig configure_optimizers() override {
      OptimizerConfig config(std::make_shared<SGD>(std::vector<at::Tensor>{weight}, SGDOptions{}));
      config.optimizers.push_back(
          std::make_shared<SGD>(std::vector<at::Tensor>{bias}, SGDOptions{}));
      return config;
    }
  } two;
  Trainer trainer(quiet(1), {swa()});
  CHECK_THROWS_WITH(trainer.fit(two, toy_data()), Catch::Contains("works with 1 optimizer"));
  ToyModule module;
  Trainer unlimited(quiet(-1), {swa(0.5)});
  CHECK_THROWS_WITH(unlimited.fit(module, toy_data()), Catch::Contains("swa_epoch_start=0.5"));
}

TEST_CASE("options of SWA out of range are refused by name") {
  using Options = StochasticWeightAveragingOptions;
  CHECK_THROWS_WITH(StochasticWeightAveraging(Options{}), Catch::Contains("swa_lrs"));
  CHECK_THROWS_WITH(StochasticWeightAveraging(Options{.swa_lrs = {0.1, 0.0}}),
                    Catch::Contains("swa_lrs must be above 0, found the number 0.0"));
  CHECK_THROWS_WITH(
      StochasticWeightAveraging(Options{.swa_lrs = {1e39}}),
      Catch::Contains("swa_lrs must be at most 3.4e+38") && Catch::Contains("found 1e+39"));
  CHECK_THROWS_WITH(
      StochasticWeightAveraging(Options{.swa_lrs = {0.1}, .swa_epoch_start = int64_t{0}}),
      Catch::Contains(
          "swa_epoch_start must be an epoch from 1, or a share of max_epochs from 0.0 to 1.0, "
          "found 0"));
  CHECK_THROWS_WITH(
      StochasticWeightAveraging(Options{.swa_lrs = {0.1}, .swa_epoch_start = 1.5}),
      Catch::Contains(
          "swa_epoch_start must be an epoch from 1, or a share of max_epochs from 0.0 to 1.0, "
          "found 1.5"));
  CHECK_THROWS_WITH(StochasticWeightAveraging(Options{.swa_lrs = {0.1}, .annealing_epochs = -1}),
                    Catch::Contains("annealing_epochs must be at least 0, found the integer -1"));
}

TEST_CASE("a resumed SWA continues averaging, also within its extra epoch") {
  const ResumedTraining training{.callbacks = [] { return std::vector<CallbackHandle>{swa()}; },
                                 .epochs = 4};
  const auto whole = training.in_one_go();
  for (const auto& [hook, call] : places_to_be_killed()) {
    INFO(hook << " " << call);
    CHECK(differing_weights(training.killed_at(hook, call), whole) == "");
  }
  for (const int batch : {13, 14, 15}) {
    INFO("batch " << batch);
    CHECK(differing_weights(training.killed_at("on_train_batch_end", batch), whole) == "");
  }
}

TEST_CASE("a validation within SWA's extra epoch that is resumed counts no step") {
  const TempDir directory;
  const auto file = directory / "stopped.ckpt";
  // Validated after the second of three batches.
  const auto train = [&](bool stops, bool resumes) {
    TrainerOptions options = quiet(2);
    options.val_check_interval = int64_t{2};
    Trace trace;
    auto killer = std::make_shared<Recorder>(trace);
    killer->script = [&](const std::string& now, Trainer& trainer) {
      if (!stops || trainer.current_epoch() != 2) return;
      if (now == "on_exception") trainer.save_checkpoint(file);
      if (now == "on_validation_batch_end") throw std::runtime_error("stopped");
    };
    BackboneModule module;
    Trainer trainer(options, {swa(int64_t{1}), killer});
    try {
      trainer.fit(module, toy_data(3, 1), {.ckpt_path = resumes ? file.string() : ""});
    } catch (const std::runtime_error&) {
    }
    return trainer.state().batches_that_stepped;
  };
  const int64_t whole = train(false, false);
  train(true, false);
  CHECK(train(false, true) == whole);
}

TEST_CASE("SWA that is resumed with nothing left keeps its scheduler in checkpoints") {
  const TempDir directory;
  const auto fit = [&](const std::string& place, const std::string& from, const std::string& to) {
    Trace trace;
    auto saver = std::make_shared<Recorder>(trace);
    saver->script = [&](const std::string& now, Trainer& trainer) {
      if (now == place) trainer.save_checkpoint(directory / to);
    };
    ToyModule module;
    Trainer trainer(quiet(3), {swa(), saver});
    trainer.fit(module, toy_data(2, 0),
                {.ckpt_path = from.empty() ? "" : (directory / from).string()});
    const StateDict saved = load_checkpoint_file(directory / to);
    const StateDict& own =
        saved.at("callbacks").to_dict().at("StochasticWeightAveraging").to_dict();
    return std::pair(saved.at("lr_schedulers").to_list().size(),
                     own.at("scheduler_state").to_dict().size());
  };
  const auto whole = fit("on_train_epoch_end", "", "end.ckpt");
  CHECK(whole.first == 1);
  CHECK(whole.second > 0);
  CHECK(fit("on_fit_start", "end.ckpt", "again.ckpt").second == whole.second);
  CHECK(fit("on_fit_end", "end.ckpt", "again.ckpt") == whole);
}

// Two epochs with windows of 1 and of 2 batches, and the one for statistics.
TEST_CASE("a resumed SWA leaves no trace of its extra epoch in what is saved after it") {
  const TempDir directory;
  const auto file = directory / "killed.ckpt";
  const auto fit = [&](bool schedules, const std::string& hook, int nth, const std::string& from) {
    Trace trace;
    int calls = 0;
    auto killer = std::make_shared<Recorder>(trace);
    killer->script = [&](const std::string& now, Trainer& trainer) {
      if (now != hook || ++calls != nth) return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    std::vector<CallbackHandle> callbacks{swa()};
    if (schedules) {
      callbacks.emplace_back(
          std::make_shared<GradientAccumulationScheduler>(AccumulationSchedule{{0, 1}, {1, 2}}));
    }
    callbacks.emplace_back(killer);
    BackboneModule module;
    Trainer trainer(quiet(2), std::move(callbacks));
    try {
      trainer.fit(module, toy_data(3, 0), {.ckpt_path = from});
    } catch (const std::runtime_error&) {
      return std::string();
    }
    const StateDict saved = trainer.dump_checkpoint();
    const StateDict& own =
        saved.at("callbacks").to_dict().at("StochasticWeightAveraging").to_dict();
    const StateDict& data = saved.at("exact_resume").to_dict().at("data").to_dict();
    return fmt::format("windows of {}, momenta: {}", data.at("accumulate_grad_batches").to_int(),
                       own.contains("momenta"));
  };
  for (const bool schedules : {false, true}) {
    const std::string whole = fit(schedules, "", 0, "");
    CHECK(whole == fmt::format("windows of {}, momenta: false", schedules ? 2 : 1));
    for (const auto& [hook, nth] :
         std::vector<std::pair<std::string, int>>{{"on_train_epoch_start", 3},
                                                  {"on_train_batch_end", 8},
                                                  {"on_train_epoch_end", 3},
                                                  {"on_train_end", 1}}) {
      INFO(hook << ", with a schedule of accumulation: " << schedules);
      fit(schedules, hook, nth, "");
      CHECK(fit(schedules, "", 0, file.string()) == whole);
    }
  }
}

}  // namespace stochastic_weight_averaging_test
