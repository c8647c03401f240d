// Averages of a model that is pruned meanwhile: masks come and go.
#include "../support/resumed.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/callbacks/ema_weight_averaging.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/callbacks/stochastic_weight_averaging.h"

namespace averaging_and_pruning_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const std::string kPruned = "backbone.0.weight";

CallbackHandle pruner(bool permanent) {
  ModelPruningOptions options{.amount = 0.25, .make_pruning_permanent = permanent};
  options.parameters_to_prune = {kPruned};
  options.use_lottery_ticket_hypothesis = false;
  return std::make_shared<ModelPruning>("l1_unstructured", options);
}
CallbackHandle averager(bool swa) {
  if (!swa) return std::make_shared<EMAWeightAveraging>(EMAWeightAveragingOptions{.decay = 0.9});
  return std::make_shared<StochasticWeightAveraging>(
      StochasticWeightAveragingOptions{.swa_lrs = {0.01}, .swa_epoch_start = int64_t{2}});
}

struct Case {
  bool swa;
  bool permanent;
  bool average_first;

  std::vector<CallbackHandle> callbacks() const {
    std::vector<CallbackHandle> both = {averager(swa), pruner(permanent)};
    if (!average_first) std::swap(both[0], both[1]);
    return both;
  }
  std::string text() const {
    return std::string(swa ? "SWA" : "EMA") + (permanent ? ", permanent" : "") +
           (average_first ? ", average first" : ", pruning first");
  }
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const bool swa : {true, false}) {
    for (const bool permanent : {true, false}) {
      for (const bool average_first : {true, false}) {
        cases.push_back({swa, permanent, average_first});
      }
    }
  }
  return cases;
}

int64_t zeros_of(const at::Tensor& tensor) {
  return (tensor == 0).sum().item<int64_t>();
}

}  // namespace

TEST_CASE("averaging a pruned model, resumed anywhere, ends with the same bits") {
  for (const Case& each : all_cases()) {
    const ResumedTraining training{.callbacks = [=] { return each.callbacks(); },
                                   .epochs = each.swa ? 4 : 5};
    const auto whole = training.in_one_go();
    for (const auto& [hook, call] : places_to_be_killed()) {
      INFO(each.text() << ", killed at " << hook << " " << call);
      CHECK(differing_weights(training.killed_at(hook, call), whole) == "");
    }
  }
}

TEST_CASE("a failure takes masks from the model, and nothing from the average in its checkpoint") {
  for (const Case& each : all_cases()) {
    const ResumedTraining training{.callbacks = [=] { return each.callbacks(); }, .epochs = 4};
    const auto whole = training.in_one_go();
    for (const int call : {5, 8}) {
      INFO(each.text() << ", step " << call);
      CHECK(differing_weights(training.failed_at("on_after_optimizer_step", call), whole) == "");
    }
  }
}

TEST_CASE("a pruned model that ends with an average is as sparse as without") {
  for (const bool swa : {true, false}) {
    for (const bool average_first : {true, false}) {
      const Case each{swa, true, average_first};
      INFO(each.text());
      const auto weights =
          ResumedTraining{.callbacks = [=] { return each.callbacks(); }, .epochs = 4}.in_one_go();
      // Of 12: 3, 5, 7, 8, and 9 in the epoch for statistics.
      CHECK(zeros_of(weights.at(kPruned)) == (swa ? 9 : 8));
    }
  }
}

TEST_CASE("a pruned model is validated with its masked average, in any order of the callbacks") {
  for (const bool average_first : {true, false}) {
    const Case each{false, true, average_first};
    INFO(each.text());
    at::manual_seed(7);
    BackboneModule module;
    Trainer trainer(quiet(3), each.callbacks());
    trainer.fit(module, toy_data(3, 1));
    CHECK(zeros_of(module.seen.at(0)) == 0);
    CHECK(zeros_of(module.seen.at(1)) == 3);
    CHECK(zeros_of(module.seen.at(2)) == 5);
  }
}

TEST_CASE("a parameter keeps its average when it is pruned") {
  at::manual_seed(7);
  BackboneModule module;
  // From here on nothing is averaged any more, and the average must be that of the first epoch.
  auto average = std::make_shared<StochasticWeightAveraging>(
      StochasticWeightAveragingOptions{.swa_lrs = {0.01}, .swa_epoch_start = int64_t{1}});
  std::vector<at::Tensor> started;
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& hook, Trainer& now) {
    if (hook == "on_train_epoch_start" && now.current_epoch() < 3) {
      started.push_back(module.tensor(kPruned).detach().clone());
    }
  };
  Trainer trainer(quiet(3), {average, recorder, pruner(false)});
  trainer.fit(module, toy_data(3, 1));
  const at::Tensor mean = (started.at(0) + started.at(1) + started.at(2)) / 3;
  CHECK(at::allclose(average->average_weights().at(kPruned).to_tensor(), mean));
}

TEST_CASE("a checkpoint at the training's end is as sparse as the model") {
  const TempDir directory;
  const std::filesystem::path file = directory / "end.ckpt";
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_end") trainer.save_checkpoint(file);
  };
  std::vector<CallbackHandle> callbacks = Case{false, true, false}.callbacks();
  callbacks.emplace_back(recorder);
  BackboneModule module;
  Trainer trainer(quiet(2), std::move(callbacks));
  trainer.fit(module, toy_data(3, 1));
  const StateDict saved = load_checkpoint_file(file);
  const at::Tensor weight = saved.at("state_dict").to_dict().at(kPruned).to_tensor();
  CHECK(zeros_of(weight) == 5);
  CHECK(at::equal(weight, module.tensor(kPruned)));
}

// The average stands in the place of the weights when that comes.
TEST_CASE("pruning after a validation prunes and rewinds the trained weights, not their average") {
  std::vector<std::map<std::string, at::Tensor>> ends;
  for (const bool average_first : {true, false}) {
    ModelPruningOptions options{.amount = 0.25, .make_pruning_permanent = false};
    options.parameters_to_prune = {kPruned};
    options.prune_on_train_epoch_end = false;
    options.rewind_every_time = true;
    auto average = std::make_shared<EMAWeightAveraging>(EMAWeightAveragingOptions{.decay = 0.9});
    auto pruning = std::make_shared<ModelPruning>("l1_unstructured", options);
    std::vector<CallbackHandle> callbacks = {average, pruning};
    if (!average_first) std::swap(callbacks[0], callbacks[1]);
    BackboneModule module;
    const at::Tensor first = module.tensor(kPruned).detach().clone();
    std::vector<at::Tensor> starts;
    Trace trace;
    auto recorder = std::make_shared<Recorder>(trace);
    recorder->script = [&](const std::string& hook, Trainer& trainer) {
      if (hook != "on_train_epoch_start" || trainer.current_epoch() == 0) return;
      starts.push_back(module.tensor(kPruned).detach().clone());
      CHECK_FALSE(at::equal(average->average_weights().at(kPruned).to_tensor(), first));
    };
    callbacks.emplace_back(recorder);
    Trainer trainer(quiet(3), std::move(callbacks));
    trainer.fit(module, toy_data(3, 1));
    REQUIRE(starts.size() == 2);
    for (const at::Tensor& start : starts) CHECK(at::equal(start, first));  // rewound
    ends.push_back(module.copies());
  }
  CHECK(differing_weights(ends[0], ends[1]) == "");
}

}  // namespace averaging_and_pruning_test
