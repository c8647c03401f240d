// Checkpoints of pruned models from builds in which pruning renamed the parameters of the model:
// they have "weight_orig" also among the gradients, in the trained weights beside an average, and
// in the states of callbacks. The model's own weights are named as now.
//
// older_checkpoints/*.ckpt were written by such a build (plugin ABI 0.2), in batch 7 of the
// training that older_training() describes, with make_pruning_permanent (permanent.ckpt) and
// without (kept.ckpt).
#include <filesystem>

#include "../support/resumed.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/backbone_finetuning.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/ema_weight_averaging.h"
#include "grapnel/callbacks/model_pruning.h"

namespace older_checkpoints_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const std::string kPruned = "backbone.0.weight";

CallbackHandle pruner(bool permanent) {
  ModelPruningOptions options{.amount = 0.25, .make_pruning_permanent = permanent};
  options.parameters_to_prune = {kPruned};
  options.rewind_every_time = true;
  return std::make_shared<ModelPruning>("l1_unstructured", options);
}

std::vector<CallbackHandle> older_callbacks(bool permanent, bool restores_best) {
  return {std::make_shared<EMAWeightAveraging>(EMAWeightAveragingOptions{.decay = 0.9}),
          pruner(permanent),
          std::make_shared<EarlyStopping>(
              "val_loss",
              EarlyStoppingOptions{.patience = 100, .restore_best_weights = restores_best})};
}

std::map<std::string, at::Tensor> older_training(bool permanent, const std::string& resume_from,
                                                 bool restores_best = false) {
  at::manual_seed(7);
  BackboneModule module;
  TrainerOptions options = quiet(5);
  options.accumulate_grad_batches = 2;
  Trainer trainer(options, older_callbacks(permanent, restores_best));
  trainer.fit(module, toy_data(3, 1), {.ckpt_path = resume_from});
  return module.copies();
}

// The document as such a build wrote it: names of the pruned parameter, and texts in states that
// are its name, get "_orig".
void rename_texts(StateValue& value) {
  if (value.is_string() && value.to_string() == kPruned) value = kPruned + "_orig";
  if (value.is_list()) {
    for (StateValue& item : value.to_list()) rename_texts(item);
  }
  if (value.is_dict()) {
    for (auto& [key, item] : value.to_dict()) rename_texts(item);
  }
}
void rename_key(StateValue* weights) {
  if (weights == nullptr) return;
  if (const StateValue* weight = weights->to_dict().find(kPruned)) {
    const at::Tensor tensor = weight->to_tensor();
    weights->to_dict().erase(kPruned);
    weights->to_dict()[kPruned + "_orig"] = tensor;
  }
}
int made_older = 0;
void make_older(const std::filesystem::path& file) {
  StateDict checkpoint = load_checkpoint_file(file);
  StateDict& exact = checkpoint.at("exact_resume").to_dict();
  const StateValue* pruning = exact.find("pruning");
  const StateValue* own = pruning == nullptr ? nullptr : pruning->to_dict().find(kPruned);
  if (own == nullptr || !own->to_dict().contains("mask")) return;  // not pruned yet
  rename_key(checkpoint.find("current_model_state"));
  rename_key(exact.find("gradients"));
  rename_texts(checkpoint.at("callbacks"));
  save_checkpoint_file(file, checkpoint);
  ++made_older;
}

}  // namespace

TEST_CASE("a checkpoint of a pruned training from an earlier build can be resumed") {
  for (const bool permanent : {true, false}) {
    INFO("permanent " << permanent);
    const std::string file =
        std::string(OLDER_CHECKPOINTS) + (permanent ? "/permanent.ckpt" : "/kept.ckpt");
    const StateDict saved = load_checkpoint_file(file);
    REQUIRE(
        saved.at("exact_resume").to_dict().at("gradients").to_dict().contains(kPruned + "_orig"));
    REQUIRE(saved.at("current_model_state").to_dict().contains(kPruned + "_orig"));
    const auto resumed = older_training(permanent, file);
    const auto whole = older_training(permanent, "");
    REQUIRE(resumed.size() == whole.size());
    for (const auto& [name, tensor] : whole) {
      INFO(name);
      CHECK(at::allclose(resumed.at(name), tensor, 1e-5, 1e-6));
    }
    // The best weights of such a build are those that were trained, not the average that had been
    // validated, and so no others than the file's come back.
    const auto restored = older_training(permanent, file, /*restores_best=*/true);
    const StateDict& stopping = saved.at("callbacks")
                                    .to_dict()
                                    .at("EarlyStopping{'monitor': 'val_loss', 'mode': 'min'}")
                                    .to_dict();
    const StateDict& best = stopping.at("best_weights").to_dict();
    for (const char* name : {"head.weight", "head.bias", "backbone.0.bias"}) {
      INFO(name);
      CHECK(at::equal(restored.at(name), best.at(name).to_tensor()));
    }
  }
}

TEST_CASE("test uses the weights and masks of an earlier build's checkpoint") {
  const std::string file = std::string(OLDER_CHECKPOINTS) + "/kept.ckpt";
  const StateDict saved = load_checkpoint_file(file);
  const StateDict& weights = saved.at("state_dict").to_dict();
  BackboneModule module;
  Trainer trainer(quiet(1), {pruner(false)});
  trainer.test(module, DataLoaders{std::make_shared<ToyLoader>(1)}, {.ckpt_path = file});
  CHECK(at::equal(module.tensor(kPruned), weights.at(kPruned + "_orig").to_tensor()));
  CHECK(at::equal(module.mask(kPruned), weights.at(kPruned + "_mask").to_tensor()));
  REQUIRE(module.seen.size() == 1);
  CHECK(at::equal(module.seen[0], module.tensor(kPruned) * module.mask(kPruned)));
}

TEST_CASE("a checkpoint with the older names resumes with the same bits as a new one") {
  for (const bool permanent : {true, false}) {
    const ResumedTraining today{.callbacks = [=] { return older_callbacks(permanent, true); }};
    ResumedTraining older = today;
    older.before_resume = make_older;
    made_older = 0;
    for (const auto& [hook, call] : places_to_be_killed()) {
      INFO("permanent " << permanent << ", killed at " << hook << " " << call);
      CHECK(differing_weights(older.killed_at(hook, call), today.killed_at(hook, call)) == "");
    }
    CHECK(made_older >= 6);
  }
}

TEST_CASE("a finetuning checkpoint with the older names is resumed with its groups") {
  const ResumedTraining training{
      .callbacks =
          [] {
            return std::vector<CallbackHandle>{
                pruner(false), std::make_shared<BackboneFinetuning>(
                                   BackboneFinetuningOptions{.unfreeze_backbone_at_epoch = 2})};
          },
      .before_resume = make_older};
  made_older = 0;
  const auto whole = training.in_one_go();
  for (const int epoch : {2, 3, 4}) {
    INFO("epoch " << epoch);
    CHECK(differing_weights(training.killed_at("on_train_epoch_end", epoch), whole) == "");
  }
  CHECK(made_older == 3);
}

TEST_CASE("a checkpoint with masks is refused for a model without pruning") {
  const std::string file = std::string(OLDER_CHECKPOINTS) + "/kept.ckpt";
  BackboneModule module;
  Trainer trainer(quiet(1));
  CHECK_THROWS_WITH(
      trainer.test(module, DataLoaders{std::make_shared<ToyLoader>(1)}, {.ckpt_path = file}),
      Catch::Contains("missing backbone.0.weight;") &&
          Catch::Contains("unexpected backbone.0.weight_orig, backbone.0.weight_mask"));
}

}  // namespace older_checkpoints_test
