// A run that a limit or a stop ended within an epoch: what callbacks did only because of that is not
// counted when a resumed run trains the rest of the epoch. Nor is what a validation did that came only
// because of a stop, where no batch is left.
#include <ATen/ops/equal.h>

#include "../support/backbone.h"
#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/ema_weight_averaging.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/callbacks/stochastic_weight_averaging.h"
#include "temp_dir.h"

namespace unfinished_epoch_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

constexpr int64_t kBatches = 4;  // of an epoch

struct Ended {
  std::map<std::string, at::Tensor> weights;
  int64_t steps = 0;
  int64_t epochs = 0;
};

struct Training {
  std::function<std::vector<CallbackHandle>()> callbacks;
  int64_t epochs = 4;
  std::function<void(TrainerOptions&)> set = {};
  int64_t ends_epochs_after = 0;  // batches, by a request; 0: never

  Ended fit(const std::filesystem::path& from = {}, int64_t max_steps = -1, int stop_at_batch = 0,
            const std::filesystem::path& save_to = {}, const std::string& place = {}) const {
    Trace trace;
    int batches = 0;
    auto stopper = std::make_shared<Recorder>(trace);
    stopper->set_name("stopper");
    stopper->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_train_batch_end" && ++batches == stop_at_batch) trainer.request_stop("enough");
    };
    auto saver = std::make_shared<Recorder>(trace);
    saver->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_train_batch_end" && trainer.state().batch.current.ready == ends_epochs_after) {
        trainer.request(RequestKind::end_epoch, "enough of it");
      }
      if (now == place) trainer.save_checkpoint(save_to);
    };
    std::vector<CallbackHandle> all = callbacks();
    if (stop_at_batch > 0) all.emplace_back(stopper);
    all.emplace_back(saver);
    TrainerOptions options = quiet(epochs);
    options.max_steps = max_steps;
    if (set) set(options);
    BackboneModule module;
    at::manual_seed(from.empty() ? 7 : 99);
    Trainer trainer(options, std::move(all));
    trainer.fit(module, toy_data(kBatches, 1), {.ckpt_path = from.string()});
    return {module.copies(), trainer.global_step(), trainer.current_epoch()};
  }

  // Ended in the middle of the second epoch, by a limit and by a request, and resumed without them.
  void check() const {
    const Ended whole = fit();
    const TempDir directory;
    const auto file = directory / "cut.ckpt";
    for (const bool by_limit : {true, false}) {
      for (const std::string place : {"on_train_epoch_end", "on_train_end"}) {
        INFO((by_limit ? "max_steps" : "request_stop") << ", saved in " << place);
        const int cut = kBatches + 2;
        CHECK(fit({}, by_limit ? cut : -1, by_limit ? 0 : cut, file, place).steps == cut);
        const Ended rest = fit(file);
        CHECK(rest.steps == whole.steps);
        CHECK(rest.epochs == whole.epochs);
        CHECK(differing_weights(rest.weights, whole.weights) == "");
      }
    }
  }

  // Stopped at the last batch of the second epoch, with a validation that comes only because of that.
  void check_at_last_batch() const {
    const Ended whole = fit();
    const TempDir directory;
    const auto file = directory / "stopped.ckpt";
    const int last = static_cast<int>(2 * (ends_epochs_after > 0 ? ends_epochs_after : kBatches));
    for (const std::string place : {"on_validation_end", "on_train_epoch_end", "on_train_end"}) {
      INFO("saved in " << place);
      CHECK(fit({}, -1, last, file, place).steps == last);
      const Ended rest = fit(file);
      CHECK(rest.steps == whole.steps);
      CHECK(rest.epochs == whole.epochs);
      CHECK(differing_weights(rest.weights, whole.weights) == "");
    }
  }
};

}  // namespace

TEST_CASE("EarlyStopping counts no check that comes only because a run ended within an epoch") {
  for (const bool at_epoch_end : {true, false}) {
    INFO("check_on_train_epoch_end " << at_epoch_end);
    // Never improves after its first check, and stops at the second one after that.
    Training{.callbacks = [=] {
      return std::vector<CallbackHandle>{std::make_shared<EarlyStopping>(
          "val_loss",
          EarlyStoppingOptions{
              .min_delta = 1000, .patience = 2, .check_on_train_epoch_end = at_epoch_end})};
    }}.check();
  }
}

TEST_CASE("an average that was updated at the end of a cut epoch is continued from before") {
  Training{.callbacks = [] {
    return std::vector<CallbackHandle>{std::make_shared<EMAWeightAveraging>(
        EMAWeightAveragingOptions{.decay = 0.5, .update_starting_at_epoch = 0})};
  }}.check();
  Training{.callbacks = [] {
    return std::vector<CallbackHandle>{std::make_shared<StochasticWeightAveraging>(
        StochasticWeightAveragingOptions{.swa_lrs = {0.02}, .swa_epoch_start = int64_t{1}})};
  }}.check();
}

TEST_CASE("what was pruned at the end of a cut epoch is trained on as it was before") {
  for (const bool at_epoch_end : {true, false}) {
    for (const bool rewinds : {true, false}) {
      INFO("prune_on_train_epoch_end " << at_epoch_end << ", lottery ticket " << rewinds);
      Training{.callbacks = [=] {
        return std::vector<CallbackHandle>{std::make_shared<ModelPruning>(
            "random_unstructured", ModelPruningOptions{.parameter_names = {"weight"},
                                                       .amount = PruningAmount(0.2),
                                                       .use_lottery_ticket_hypothesis = rewinds,
                                                       .prune_on_train_epoch_end = at_epoch_end})};
      }}.check();
    }
  }
}

TEST_CASE(
    "what is pruned in an epoch that is complete does not depend on a stop at its last batch") {
  const auto over_epochs = [](TrainerOptions& options) {
    options.check_val_every_n_epoch.reset();
    options.val_check_interval = int64_t{3};
  };
  for (const std::string method : {"random_unstructured", "l1_unstructured"}) {
    for (const bool at_epoch_end : {true, false}) {
      for (const bool by_request : {true, false}) {
        INFO(method << ", prune_on_train_epoch_end " << at_epoch_end << ", epochs ended by "
                    << (by_request ? "a request" : "their data"));
        Training training{.callbacks = [=] {
          return std::vector<CallbackHandle>{std::make_shared<ModelPruning>(
              method, ModelPruningOptions{.parameter_names = {"weight"},
                                          .amount = PruningAmount(0.2),
                                          .use_lottery_ticket_hypothesis = false,
                                          .prune_on_train_epoch_end = at_epoch_end})};
        }};
        if (by_request) {
          training.ends_epochs_after = 3;
        } else {
          training.set = over_epochs;
        }
        training.check_at_last_batch();
      }
    }
  }
}

}  // namespace unfinished_epoch_test
