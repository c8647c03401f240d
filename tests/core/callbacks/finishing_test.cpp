// What callbacks do to the model when a training ends: also when there is nothing left to train, in
// which order, and for which model.
#include <algorithm>
#include <memory>

#include "../support/resumed.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/callbacks/backbone_finetuning.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/ema_weight_averaging.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/callbacks/stochastic_weight_averaging.h"
#include "grapnel/callbacks/weight_averaging.h"

namespace finishing_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

namespace {

CallbackHandle restoring(int64_t patience = 100) {
  return std::make_shared<EarlyStopping>(
      "val_loss", EarlyStoppingOptions{.patience = patience, .restore_best_weights = true});
}
CallbackHandle averaging() {
  return std::make_shared<WeightAveraging>();
}
CallbackHandle moving_average(double decay = 0.9) {
  return std::make_shared<EMAWeightAveraging>(EMAWeightAveragingOptions{.decay = decay});
}
CallbackHandle swa() {
  return std::make_shared<StochasticWeightAveraging>(
      StochasticWeightAveragingOptions{.swa_lrs = {0.01}, .swa_epoch_start = int64_t{2}});
}
CallbackHandle pruning(bool permanent = true) {
  ModelPruningOptions options{.amount = 0.25, .make_pruning_permanent = permanent};
  options.parameters_to_prune = {"backbone.0.weight"};
  return std::make_shared<ModelPruning>("l1_unstructured", options);
}
CallbackHandle finetuning() {
  return std::make_shared<BackboneFinetuning>(
      BackboneFinetuningOptions{.unfreeze_backbone_at_epoch = 1});
}

struct Kind {
  std::string name;
  std::function<std::vector<CallbackHandle>()> callbacks;
};

std::vector<Kind> kinds() {
  return {
      {"WeightAveraging", [] { return std::vector{averaging()}; }},
      {"EMAWeightAveraging", [] { return std::vector{moving_average()}; }},
      {"StochasticWeightAveraging", [] { return std::vector{swa()}; }},
      {"EarlyStopping", [] { return std::vector{restoring()}; }},
      {"ModelPruning", [] { return std::vector{pruning()}; }},
      {"BackboneFinetuning", [] { return std::vector{finetuning()}; }},
      {"EMA, pruning, EarlyStopping",
       [] {
         return std::vector{restoring(), moving_average(), pruning()};
       }},
      {"pruning, finetuning",
       [] {
         return std::vector{pruning(), finetuning()};
       }},
      {"finetuning, pruning",
       [] {
         return std::vector{finetuning(), pruning(false)};
       }},
      {"finetuning, SWA",
       [] {
         return std::vector{finetuning(), swa()};
       }},
  };
}

struct Ended {
  std::map<std::string, at::Tensor> weights;
  std::map<std::string, bool> trainable;
  int64_t epochs = 0;
};

TrainerOptions saving(int64_t epochs) {
  TrainerOptions options = quiet(epochs);
  options.enable_checkpointing = true;
  return options;
}

Ended fit(std::vector<CallbackHandle> callbacks, int64_t epochs, const fs::path& from = {}) {
  const bool saves = callbacks.back().callback->place() == Callback::Place::checkpoint;
  BackboneModule module;
  Trainer trainer(saves ? saving(epochs) : quiet(epochs), std::move(callbacks));
  trainer.fit(module, toy_data(3, 1), {.ckpt_path = from.string()});
  Ended ended{module.copies(), {}, trainer.current_epoch()};
  for (const StateEntry& entry : module.state_view().parameters()) {
    ended.trainable[entry.name] = entry.tensor.requires_grad();
  }
  return ended;
}

CallbackHandle keeping(const fs::path& directory, SaveLast kind = SaveLast::copy) {
  return std::make_shared<ModelCheckpoint>(
      ModelCheckpointOptions{.dirpath = directory, .save_last = kind});
}

}  // namespace

TEST_CASE("the same training again, resumed from its end, leaves the same model") {
  for (const Kind& kind : kinds()) {
    INFO(kind.name);
    const TempDir directory;
    const auto all = [&] {
      std::vector<CallbackHandle> callbacks = kind.callbacks();
      callbacks.push_back(keeping(directory / "c"));
      return callbacks;
    };
    at::manual_seed(3);
    const Ended first = fit(all(), 4);
    for (int again = 0; again < 2; ++again) {
      at::manual_seed(77);
      const Ended second = fit(all(), 4, directory / "c" / "last.ckpt");
      CHECK(second.epochs == first.epochs);
      CHECK(differing_weights(first.weights, second.weights) == "");
      CHECK(second.trainable == first.trainable);
    }
  }
}

TEST_CASE("a training that is continued from the checkpoint of its end is one in one go") {
  for (const Kind& kind : kinds()) {
    // The model had one more epoch for its statistics at the former end.
    if (kind.name.find("SWA") != std::string::npos || kind.name.starts_with("Stoch")) continue;
    INFO(kind.name);
    const TempDir directory;
    const auto all = [&] {
      std::vector<CallbackHandle> callbacks = kind.callbacks();
      callbacks.push_back(std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
          .dirpath = directory / "c", .save_last = SaveLast::copy, .every_n_epochs = 100}));
      return callbacks;
    };
    at::manual_seed(3);
    const Ended whole = fit(kind.callbacks(), 5);
    at::manual_seed(3);
    fit(all(), 3);  // its only file is that of its end
    at::manual_seed(77);
    const Ended resumed = fit(all(), 5, directory / "c" / "last.ckpt");
    CHECK(differing_weights(whole.weights, resumed.weights) == "");
  }
}

// Notes the metric after each validation.
class Scores final : public Callback {
 public:
  void on_validation_end(Event& event) override {
    scores.push_back(event.trainer.callback_metrics().at("val_loss"));
  }
  size_t best() const {
    return static_cast<size_t>(std::min_element(scores.begin(), scores.end()) - scores.begin());
  }
  std::vector<double> scores;
};

TEST_CASE("restore_best_weights restores what had the best score, in any order of the callbacks") {
  const std::vector<std::vector<CallbackHandle>> orders = {
      {restoring(), moving_average(0.5)},
      {moving_average(0.5), restoring()},
      {restoring(), averaging()},
      {averaging(), restoring()},
      {restoring(), swa()},
      {swa(), restoring()},
  };
  for (std::vector<CallbackHandle> callbacks : orders) {
    INFO(callbacks[0].callback->type_name() << ", " << callbacks[1].callback->type_name());
    auto scores = std::make_shared<Scores>();
    callbacks.emplace_back(scores);
    at::manual_seed(3);
    BackboneModule module;
    Trainer trainer(quiet(6), callbacks);
    trainer.fit(module, toy_data(3, 1));
    REQUIRE(module.seen.size() == scores->scores.size());
    CHECK(at::equal(module.net().backbone->linear->weight, module.seen.at(scores->best())));
  }
}

TEST_CASE("restore_best_weights takes the weights of the validation, not those of the check") {
  // Validated in the middle of the epoch, checked at its end.
  TrainerOptions options = quiet(3);
  options.val_check_interval = int64_t{2};
  auto stopping = std::make_shared<EarlyStopping>(
      "val_loss",
      EarlyStoppingOptions{
          .patience = 100, .check_on_train_epoch_end = true, .restore_best_weights = true});
  auto scores = std::make_shared<Scores>();
  at::manual_seed(3);
  BackboneModule module;
  Trainer trainer(options, {stopping, scores});
  trainer.fit(module, toy_data(3, 1));
  CHECK(at::equal(module.net().backbone->linear->weight, module.seen.at(scores->best())));
}

TEST_CASE("restore_best_weights has the validated weights after a failure behind the validation") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  // Fails before EarlyStopping has seen the end of the best validation, when the averaged weights that
  // were validated are no longer in the model.
  const auto train = [&](bool fails, bool resumes) {
    Trace trace;
    auto killer = std::make_shared<Recorder>(trace);
    killer->script = [&](const std::string& now, Trainer& trainer) {
      if (!fails || now != "on_validation_end" || trainer.current_epoch() != 1) return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("failed");
    };
    at::manual_seed(3);
    BackboneModule module;
    Trainer trainer(quiet(3), {averaging(), killer, restoring()});
    try {
      trainer.fit(module, toy_data(3, 1), {.ckpt_path = resumes ? file.string() : ""});
    } catch (const std::runtime_error&) {
    }
    return module.net().backbone->linear->weight.detach().clone();
  };
  const at::Tensor whole = train(false, false);
  train(true, false);
  CHECK(at::equal(train(false, true), whole));
}

TEST_CASE("restore_best_weights has the validated weights after a limit within the epoch") {
  // Validated after the third of four batches, checked at the epoch's end; the first check is the best.
  const auto train = [](const fs::path& directory, int64_t max_steps, bool resumes) {
    TrainerOptions options = saving(3);
    options.val_check_interval = int64_t{3};
    options.max_steps = max_steps;
    at::manual_seed(3);
    BackboneModule module;
    Trainer trainer(
        options,
        {std::make_shared<EarlyStopping>("val_loss",
                                         EarlyStoppingOptions{.min_delta = 1000,
                                                              .patience = 100,
                                                              .check_on_train_epoch_end = true,
                                                              .restore_best_weights = true}),
         std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
             .dirpath = directory, .save_last = SaveLast::copy, .save_on_train_epoch_end = true})});
    trainer.fit(module, toy_data(4, 1),
                {.ckpt_path = resumes ? (directory / "last.ckpt").string() : ""});
    return module.net().backbone->linear->weight.detach().clone();
  };
  const TempDir undisturbed;
  const at::Tensor whole = train(undisturbed.path(), -1, false);
  for (const int64_t max_steps : {2, 3}) {
    INFO("ended after step " << max_steps);
    const TempDir directory;
    train(directory.path(), max_steps, false);
    CHECK(at::equal(train(directory.path(), -1, true), whole));
  }
}

TEST_CASE("EarlyStopping that is used for a second model begins anew") {
  auto stopping = std::make_shared<EarlyStopping>(
      "val_loss", EarlyStoppingOptions{.patience = 2, .restore_best_weights = true});
  ScriptedModule first({1, 2, 3, 4});
  Trainer(quiet(10), {stopping}).fit(first, toy_data(2, 1));
  CHECK(stopping->best_score() == 1);
  class Other final : public ScriptedModule {
   public:
    Other() : ScriptedModule({9, 8, 7, 6}) {}
    OptimizerConfig configure_optimizers() override {
      return std::make_shared<Adam>(std::vector<at::Tensor>{weight, bias}, AdamOptions{.lr = 0.5});
    }
  };
  Other second;
  Trainer trainer(quiet(4), {stopping});
  trainer.fit(second, toy_data(2, 1));
  CHECK(trainer.current_epoch() == 4);
  CHECK(stopping->best_score() == 6);
  CHECK_FALSE(at::equal(first.weight, second.weight));

  // The same trainer with another model: no score and no weights of the first.
  ScriptedModule third({5, 4, 3, 2, 1, 0.5});
  trainer.set_max_epochs(6);
  trainer.fit(third, toy_data(2, 1));
  CHECK(stopping->best_score() == 0.5);
}

TEST_CASE("SWA that is used for a second training takes its share of that one's epochs") {
  auto averaging = std::make_shared<StochasticWeightAveraging>(
      StochasticWeightAveragingOptions{.swa_lrs = {0.01}, .swa_epoch_start = 0.5});
  ToyModule first;
  Trainer(quiet(4), {averaging}).fit(first, toy_data());
  CHECK(std::get<int64_t>(averaging->swa_epoch_start()) == 2);
  ToyModule second;
  Trainer(quiet(8), {averaging}).fit(second, toy_data());
  CHECK(std::get<int64_t>(averaging->swa_epoch_start()) == 4);
}

TEST_CASE("a run that EarlyStopping stopped stays stopped when it is resumed") {
  const TempDir directory;
  const std::vector<double> values = {5, 4, 4.5, 4.6, 4.7, 4.8, 4.9, 5, 5, 5, 5, 5};
  const auto train = [&](EarlyStoppingOptions options, const fs::path& from) {
    ScriptedModule module(values);
    auto stopping = std::make_shared<EarlyStopping>("val_loss", options);
    Trainer trainer(saving(10), {stopping, keeping(directory / "c")});
    trainer.fit(module, toy_data(1, 1), {.ckpt_path = from.string()});
    return std::pair(trainer.current_epoch(), stopping->wait_count());
  };
  const fs::path last = directory / "c" / "last.ckpt";
  CHECK(train({.patience = 2}, {}) == std::pair<int64_t, int64_t>(4, 2));
  for (int again = 0; again < 2; ++again) {
    const CapturedLog log;
    CHECK(train({.patience = 2}, last) == std::pair<int64_t, int64_t>(4, 2));
    CHECK_THAT(log.text(), Catch::Contains("to train on, raise patience (now 2)"));
  }
  const CapturedLog log;
  CHECK(train({.patience = 5}, last) == std::pair<int64_t, int64_t>(7, 5));
  CHECK_THAT(log.text(),
             Catch::Contains("patience=5 counts from now on; the checkpoint's run had 2"));
}

TEST_CASE("a threshold that stopped a run stops its resumed one unless it is changed") {
  const TempDir directory;
  const auto train = [&](EarlyStoppingOptions options, const fs::path& from) {
    ScriptedModule module({5, 4, 3, 2, 1});
    Trainer trainer(saving(5), {std::make_shared<EarlyStopping>("val_loss", options),
                                keeping(directory / "c")});
    trainer.fit(module, toy_data(1, 1), {.ckpt_path = from.string()});
    return trainer.current_epoch();
  };
  const fs::path last = directory / "c" / "last.ckpt";
  CHECK(train({.stopping_threshold = 4.5}, {}) == 2);
  CHECK(train({.stopping_threshold = 4.5}, last) == 2);
  CHECK(train({.stopping_threshold = 2.5}, last) == 4);
  CHECK(train({}, last) == 5);
}

TEST_CASE(
    "EMAWeightAveraging counts steps where a batch makes several, and nothing averaged is no average") {
  class TwoSteps final : public ToyModule {
   public:
    TwoSteps() { automatic_optimization = false; }
    StepOutput training_step(Batch& batch, int64_t) override {
      manual_backward(loss_of(batch));
      for (int i = 0; i < 2; ++i) optimizers().step();
      return {};
    }
  };
  const auto updates = [](EMAWeightAveragingOptions options) {
    auto average = std::make_shared<EMAWeightAveraging>(options);
    TwoSteps module;
    Trainer trainer(quiet(2), {average});
    trainer.fit(module, toy_data(6, 0));
    CHECK(trainer.global_step() == 24);
    return average->n_averaged();
  };
  CHECK(updates({.update_every_n_steps = 1}) == 12);
  CHECK(updates({.update_every_n_steps = 2}) == 12);
  CHECK(updates({.update_every_n_steps = 3}) == 6);  // after 2, 6, 10, 14, ... steps
  CHECK(updates({.update_every_n_steps = 5}) == 4);  // after 2, 8, 14, 20
}

TEST_CASE("a group that came after SWA began keeps its rate in a resumed run") {
  const auto callbacks = [] {
    return std::vector<CallbackHandle>{
        std::make_shared<StochasticWeightAveraging>(StochasticWeightAveragingOptions{
            .swa_lrs = {0.01}, .swa_epoch_start = int64_t{2}, .annealing_epochs = 2}),
        std::make_shared<BackboneFinetuning>(BackboneFinetuningOptions{
            .unfreeze_backbone_at_epoch = 2, .lambda_func = [](int64_t) { return 1.0; }})};
  };
  const ResumedTraining training{.callbacks = callbacks, .epochs = 5};
  const auto whole = training.in_one_go();
  for (const auto& [hook, n] : std::vector<std::pair<std::string, int>>{
           {"on_train_batch_end", 3}, {"on_train_epoch_end", 3}, {"on_train_batch_end", 11}}) {
    INFO(hook << " " << n);
    CHECK(differing_weights(whole, training.killed_at(hook, n)) == "");
  }
}

TEST_CASE("pruning and finetuning resume in both orders, anywhere, and with a second fit") {
  for (const bool pruning_first : {true, false}) {
    for (const bool permanent : {true, false}) {
      INFO("pruning first " << pruning_first << ", permanent " << permanent);
      const auto callbacks = [=] {
        std::vector<CallbackHandle> both = {pruning(permanent), finetuning()};
        if (!pruning_first) std::swap(both[0], both[1]);
        return both;
      };
      const ResumedTraining training{.callbacks = callbacks, .epochs = 4};
      const auto whole = training.in_one_go();
      for (const auto& [hook, n] : std::vector<std::pair<std::string, int>>{
               {"on_train_batch_end", 2}, {"on_train_epoch_end", 1}, {"on_train_batch_end", 8}}) {
        INFO(hook << " " << n);
        CHECK(differing_weights(whole, training.killed_at(hook, n)) == "");
      }
      BackboneModule module;
      Trainer trainer(quiet(2), callbacks());
      trainer.fit(module, toy_data(3, 1));
      trainer.set_max_epochs(4);
      CHECK_NOTHROW(trainer.fit(module, toy_data(3, 1)));
      for (const StateEntry& entry : module.state_view().parameters()) {
        CHECK(entry.tensor.requires_grad());
      }
    }
  }
}

TEST_CASE(
    "gradients of pruned parameters survive an interruption within a window of accumulation") {
  const TempDir directory;
  class Interrupting final : public Callback {
   public:
    void on_train_batch_end(TrainBatchEnd& event) override {
      const bool now = event.trainer.current_epoch() == 1 && event.batch_idx == 3;
      if (now) event.trainer.interrupt(15);
    }
  };
  const auto train = [&](bool interrupted, const fs::path& from) {
    TrainerOptions options = saving(3);
    options.accumulate_grad_batches = 3;
    std::vector<CallbackHandle> callbacks = {pruning(false)};
    if (interrupted) callbacks.emplace_back(std::make_shared<Interrupting>());
    callbacks.emplace_back(std::make_shared<ModelCheckpoint>(
        ModelCheckpointOptions{.dirpath = directory / (interrupted || !from.empty() ? "a" : "b"),
                               .filename = "{epoch}",
                               .save_on_exception = true}));
    at::manual_seed(3);
    BackboneModule module;
    Trainer trainer(options, std::move(callbacks));
    try {
      trainer.fit(module, toy_data(5, 1), {.ckpt_path = from.string()});
    } catch (const Interrupted&) {
    }
    return module.copies();
  };
  const auto whole = train(false, {});
  train(true, {});
  CHECK(differing_weights(whole, train(false, directory / "a" / "epoch=1.ckpt")) == "");
}

TEST_CASE("a failure while a fit ends gives the model back without masks and unfrozen") {
  class Failing final : public Callback {
   public:
    void on_fit_end(Event&) override { throw std::runtime_error("scripted"); }
  };
  BackboneModule module;
  Trainer trainer(quiet(2), {std::make_shared<BackboneFinetuning>(), pruning(false),
                             std::make_shared<Failing>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(3, 1)), "scripted");
  for (const StateEntry& entry : module.state_view().parameters()) {
    INFO(entry.name);
    CHECK(entry.tensor.requires_grad());
    CHECK_FALSE(entry.mask.defined());
  }
}

}  // namespace finishing_test
