#include "grapnel/callbacks/model_pruning.h"

#include "../support/backbone.h"
#include "../support/resumed.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/checkpoint.h"

namespace model_pruning_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const std::vector<std::string> kWeights = {"backbone.0.weight", "head.weight"};

std::shared_ptr<ModelPruning> pruning(ModelPruningOptions options,
                                      const std::string& method = "l1_unstructured") {
  if (options.parameters_to_prune.empty()) options.parameters_to_prune = kWeights;
  return std::make_shared<ModelPruning>(method, std::move(options));
}

int64_t zeros(const at::Tensor& tensor) {
  return (tensor == 0).sum().item<int64_t>();
}

// Calls a function at the end of every epoch, after the other callbacks.
class AtEpochEnd final : public Callback {
 public:
  explicit AtEpochEnd(std::function<void(Event&)> call) : call_(std::move(call)) {}
  void on_train_epoch_end(Event& event) override { call_(event); }

 private:
  std::function<void(Event&)> call_;
};

}  // namespace

TEST_CASE(
    "global pruning sets the smallest elements of all parameters to zero, and they stay zero") {
  BackboneModule module;
  Trainer trainer(quiet(3),
                  {pruning({.amount = int64_t{4}, .use_lottery_ticket_hypothesis = false})});
  trainer.fit(module, toy_data());
  CHECK(zeros(module.tensor("backbone.0.weight")) + zeros(module.tensor("head.weight")) == 12);
  CHECK_FALSE(module.mask("head.weight").defined());
  CHECK(module.tensor("head.weight").requires_grad());
}

TEST_CASE("a pruning amount given as a fraction is of the elements that are left") {
  BackboneModule module;
  std::vector<int64_t> pruned;
  auto callback = pruning({.amount = 0.5, .use_lottery_ticket_hypothesis = false});
  Trainer trainer(quiet(3), {callback, std::make_shared<AtEpochEnd>([&](Event& event) {
                               int64_t sum = 0;
                               for (const std::string& name : kWeights) {
                                 sum += callback->sparsity(event.module, name).first;
                               }
                               pruned.push_back(sum);
                             })});
  trainer.fit(module, toy_data());
  CHECK((pruned == std::vector<int64_t>{8, 12, 14}));
}

TEST_CASE("a pruned model computes with its masks, in training and in validation") {
  BackboneModule module;
  Trainer trainer(quiet(3), {pruning({.amount = 0.5, .use_lottery_ticket_hypothesis = false})});
  trainer.fit(module, toy_data(3, 1));
  REQUIRE(module.seen.size() == 3);
  CHECK(zeros(module.seen[0]) == 0);
  CHECK(zeros(module.seen[1]) > 0);
  CHECK(zeros(module.seen[2]) >= zeros(module.seen[1]));
}

TEST_CASE("masked elements get no gradient; what the optimizer trains is dense") {
  BackboneModule module;
  module.momentum = 0;
  at::Tensor orig;
  at::Tensor mask;
  const std::function<PruningAmount(int64_t)> once = [](int64_t epoch) {
    return epoch == 0 ? 0.5 : 0.0;
  };
  Trainer trainer(quiet(2), {pruning({.amount = once, .use_lottery_ticket_hypothesis = false}),
                             std::make_shared<AtEpochEnd>([&](Event& event) {
                               const at::Tensor now = module.tensor("head.weight");
                               if (event.trainer.current_epoch() == 0) {
                                 orig = now.detach().clone();
                                 mask = module.mask("head.weight").clone();
                                 return;
                               }
                               const at::Tensor gone = mask == 0;
                               CHECK(at::equal(now.masked_select(gone), orig.masked_select(gone)));
                               CHECK_FALSE(at::equal(now, orig));
                               CHECK(now.is_same(module.net().head->weight));
                             })});
  trainer.fit(module, toy_data());
  CHECK(zeros(mask) > 0);
}

TEST_CASE("structured pruning removes whole channels") {
  for (const char* method : {"ln_structured", "random_structured"}) {
    INFO(method);
    BackboneModule module;
    Trainer trainer(quiet(2), {pruning({.parameters_to_prune = {"backbone.0.weight"},
                                        .use_global_unstructured = false,
                                        .amount = int64_t{1},
                                        .use_lottery_ticket_hypothesis = false,
                                        .pruning_dim = -1,
                                        .pruning_norm = 2.0},
                                       method)});
    trainer.fit(module, toy_data());
    const at::Tensor channels = (module.tensor("backbone.0.weight") != 0).any(0);
    CHECK(channels.sum().item<int64_t>() == 1);
  }
}

TEST_CASE("structured pruning removes the channel with the smallest norm first") {
  BackboneModule module;
  const at::Tensor norms = module.tensor("backbone.0.weight").detach().norm(2, 1);
  Trainer trainer(quiet(1), {pruning({.parameters_to_prune = {"backbone.0.weight"},
                                      .use_global_unstructured = false,
                                      .amount = int64_t{1},
                                      .use_lottery_ticket_hypothesis = true,
                                      .pruning_dim = 0,
                                      .pruning_norm = 2.0},
                                     "ln_structured")});
  module.momentum = 0;
  trainer.fit(module, toy_data(1, 0));
  const at::Tensor gone = (module.tensor("backbone.0.weight") == 0).all(1);
  CHECK(gone.sum().item<int64_t>() == 1);
  CHECK(gone[norms.argmin().item<int64_t>()].item<bool>());
}

TEST_CASE("random pruning follows the seed") {
  const auto run = [](int64_t seed) {
    at::manual_seed(seed);
    BackboneModule module;
    Trainer trainer(quiet(2), {pruning({.amount = 0.5}, "random_unstructured")});
    trainer.fit(module, toy_data());
    return module.copies();
  };
  CHECK(same_weights(run(3), run(3)));
  CHECK_FALSE(same_weights(run(3), run(4)));
}

TEST_CASE("a custom pruning function gets the remaining elements of all parameters") {
  std::vector<int64_t> sizes;
  const PruningFunction largest = [&](const at::Tensor& scores, const PruningAmount& amount) {
    sizes.push_back(scores.numel());
    at::Tensor mask = at::ones_like(scores);
    const auto top = std::get<1>(at::topk(scores.abs(), std::get<int64_t>(amount)));
    mask.index_fill_(0, top, 0);
    return mask;
  };
  BackboneModule module;
  Trainer trainer(quiet(2), {std::make_shared<ModelPruning>(
                                "Largest", largest,
                                ModelPruningOptions{.parameters_to_prune = kWeights,
                                                    .amount = int64_t{3},
                                                    .use_lottery_ticket_hypothesis = false})});
  trainer.fit(module, toy_data());
  CHECK((sizes == std::vector<int64_t>{16, 13}));
  CHECK(zeros(module.tensor("backbone.0.weight")) + zeros(module.tensor("head.weight")) == 6);
}

TEST_CASE("use_lottery_ticket_hypothesis rewinds the remaining weights to their first values") {
  for (const bool every_time : {false, true}) {
    BackboneModule module;
    const auto before = module.copies();
    Trainer trainer(quiet(2), {pruning({.amount = 0.25, .rewind_every_time = every_time})});
    trainer.fit(module, toy_data());
    const at::Tensor weight = module.tensor("head.weight").detach();
    const at::Tensor left = weight != 0;
    CHECK(at::equal(weight.masked_select(left), before.at("head.weight").masked_select(left)) ==
          every_time);
  }
}

TEST_CASE(
    "resample_parameters gives the pruned layers new values and keeps the rest of the layer") {
  BackboneModule module;
  const auto before = module.copies();
  std::map<std::string, at::Tensor> at_end;
  Trainer trainer(quiet(1),
                  {std::make_shared<AtEpochEnd>([&](Event&) { at_end = module.copies(); }),
                   pruning({.amount = 0.25, .resample_parameters = true})});
  trainer.fit(module, toy_data());
  const at::Tensor weight = module.tensor("head.weight").detach();
  const at::Tensor left = weight != 0;
  CHECK_FALSE(at::equal(weight.masked_select(left), before.at("head.weight").masked_select(left)));
  CHECK_FALSE(at::equal(weight.masked_select(left), at_end.at("head.weight").masked_select(left)));
  CHECK(at::equal(module.tensor("head.bias"), at_end.at("head.bias")));
}

TEST_CASE(
    "without make_pruning_permanent masks stay after the training, and load into a new model") {
  const TempDir directory;
  const ModelPruningOptions options{
      .amount = 0.5, .make_pruning_permanent = false, .use_lottery_ticket_hypothesis = false};
  BackboneModule module;
  Trainer trainer(quiet(1), {pruning(options)});
  trainer.fit(module, toy_data());
  CHECK(zeros(module.tensor("head.weight")) == 0);
  CHECK(zeros(module.mask("head.weight")) > 0);
  trainer.save_checkpoint(directory / "a.ckpt");

  BackboneModule other;
  Trainer test(quiet(1), {pruning(options)});
  test.test(other, DataLoaders{std::make_shared<ToyLoader>(1)},
            {.ckpt_path = (directory / "a.ckpt").string()});
  CHECK(at::equal(other.mask("head.weight"), module.mask("head.weight")));
  REQUIRE(other.seen.size() == 1);
  CHECK(zeros(other.seen[0]) == zeros(module.mask("backbone.0.weight")));
}

TEST_CASE("a checkpoint of permanent pruning has masked weights, weights-only files too") {
  const TempDir directory;
  BackboneModule module;
  auto save = std::make_shared<AtEpochEnd>([&](Event& event) {
    event.trainer.save_checkpoint(directory / "full.ckpt");
    event.trainer.save_checkpoint(directory / "weights.ckpt", /*weights_only=*/true);
  });
  Trainer trainer(quiet(1), {pruning({.amount = 0.5}), save});
  trainer.fit(module, toy_data());
  for (const char* file : {"full.ckpt", "weights.ckpt"}) {
    INFO(file);
    const StateDict checkpoint = load_checkpoint_file(directory / file);
    const StateDict& weights = checkpoint.at("state_dict").to_dict();
    CHECK_FALSE(weights.contains("head.weight_mask"));
    CHECK(zeros(weights.at("backbone.0.weight").to_tensor()) +
              zeros(weights.at("head.weight").to_tensor()) ==
          8);
  }
}

TEST_CASE("a resumed pruning has its masks and the values to rewind to") {
  for (const bool permanent : {true, false}) {
    for (const bool every_time : {true, false}) {
      const ResumedTraining training{.callbacks = [=] {
        return std::vector<CallbackHandle>{pruning(
            {.amount = 0.2, .make_pruning_permanent = permanent, .rewind_every_time = every_time})};
      }};
      const auto whole = training.in_one_go();
      for (const auto& [hook, call] : places_to_be_killed()) {
        INFO(hook << " " << call << " permanent " << permanent << " every time " << every_time);
        CHECK(differing_weights(training.killed_at(hook, call), whole) == "");
      }
    }
  }
}

TEST_CASE("a resumed pruning without validation uses the same importance of weights") {
  const ResumedTraining training{
      .callbacks =
          [] {
            return std::vector<CallbackHandle>{
                pruning({.amount = 0.3, .use_lottery_ticket_hypothesis = false})};
          },
      .val_batches = 0};
  const auto whole = training.in_one_go();
  for (const int batch : {3, 6, 9}) {
    INFO(batch);
    CHECK(differing_weights(training.killed_at("on_train_batch_end", batch), whole) == "");
  }
}

// What is pruned is chosen by the values of the epoch's last batch, which no sanity check may replace.
TEST_CASE("the sanity check of a resumed training does not change the pruning") {
  const ResumedTraining training{
      .callbacks =
          [] {
            return std::vector<CallbackHandle>{
                pruning({.amount = 0.3, .use_lottery_ticket_hypothesis = false, .verbose = 0})};
          },
      .sanity_steps = 1};
  const auto whole = training.in_one_go();
  for (const int batch : {3, 6, 9, 12}) {
    INFO(batch);
    CHECK(differing_weights(training.killed_at("on_train_batch_end", batch), whole) == "");
  }
}

TEST_CASE("a failed run leaves a pruned model without masks, with its dense weights") {
  class FailInStep final : public Callback {
   public:
    void on_before_backward(BackwardEvent& event) override {
      if (event.trainer.current_epoch() == 1) throw std::runtime_error("scripted");
    }
  };
  BackboneModule module;
  std::map<std::string, at::Tensor> trained;
  auto watch = std::make_shared<AtEpochEnd>([&](Event&) { trained = module.copies(); });
  Trainer trainer(quiet(3),
                  {watch, pruning({.amount = 0.5, .use_lottery_ticket_hypothesis = false}),
                   std::make_shared<FailInStep>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "scripted");
  CHECK(at::equal(module.tensor("head.weight"), trained.at("head.weight")));
  CHECK_FALSE(module.mask("head.weight").defined());
}

TEST_CASE("a model with an entry of the name that a mask has in checkpoints cannot be saved") {
  ToyModule module;
  module.state_view().add({"weight_mask", at::zeros({1}), /*is_parameter=*/false});
  ModelPruningOptions options{.amount = int64_t{1}, .make_pruning_permanent = false};
  options.parameters_to_prune = {"weight"};
  Trainer trainer(quiet(1), {std::make_shared<ModelPruning>("l1_unstructured", options)});
  trainer.fit(module, toy_data(1, 1));
  CHECK_THROWS_WITH(trainer.dump_checkpoint(),
                    Catch::Contains("'weight_mask'") && Catch::Contains("pruned 'weight'"));
}

TEST_CASE(
    "two ModelPruning callbacks prune different parameters, or the same one after the other") {
  BackboneModule module;
  Trainer trainer(quiet(1),
                  {pruning({.parameters_to_prune = {"head.weight"}, .amount = int64_t{1}}),
                   pruning({.parameters_to_prune = {"backbone.0.weight"}, .amount = int64_t{2}})});
  trainer.fit(module, toy_data());
  CHECK(zeros(module.tensor("head.weight")) == 1);
  CHECK(zeros(module.tensor("backbone.0.weight")) == 2);

  BackboneModule same;
  Trainer both(quiet(1), {pruning({.parameters_to_prune = {"head.weight"}, .amount = int64_t{1}}),
                          pruning({.parameters_to_prune = {"head.weight"}, .amount = int64_t{1}})});
  both.fit(same, toy_data());
  CHECK(zeros(same.tensor("head.weight")) == 2);
}

TEST_CASE("ModelPruning prunes all weights and biases of the model's layers by default") {
  BackboneModule module;
  auto callback = std::make_shared<ModelPruning>("l1_unstructured");
  Trainer trainer(quiet(1), {callback});
  trainer.fit(module, toy_data());
  CHECK((callback->parameters_to_prune() ==
         std::vector<std::string>{"backbone.0.weight", "backbone.1.weight", "head.weight",
                                  "backbone.0.bias", "backbone.1.bias", "head.bias"}));
}

TEST_CASE("verbose logs the sparsity of the model, and of each parameter") {
  const CapturedLog log;
  BackboneModule module;
  Trainer trainer(quiet(1), {pruning({.amount = 0.5, .verbose = 2})});
  trainer.fit(module, toy_data());
  CHECK_THAT(log.text(),
             Catch::Contains("applied l1_unstructured: pruned 0/16 (0.00%) -> 8/16 (50.00%)") &&
                 Catch::Contains("to head.weight with amount=0.5"));
}

TEST_CASE("invalid options and parameters of ModelPruning are refused by name") {
  CHECK_THROWS_WITH(ModelPruning("l1_unstructred"),
                    Catch::Contains("did you mean 'l1_unstructured'?"));
  CHECK_THROWS_WITH(ModelPruning("random_structured"), Catch::Contains("needs pruning_dim"));
  CHECK_THROWS_WITH(ModelPruning("ln_structured", {.pruning_dim = 0}),
                    Catch::Contains("needs pruning_norm"));
  CHECK_THROWS_WITH(ModelPruning("ln_structured", {.pruning_dim = 0, .pruning_norm = 1.0}),
                    Catch::Contains("use_global_unstructured"));
  CHECK_THROWS_WITH(ModelPruning("l1_unstructured", {.parameter_names = {"wait"}}),
                    Catch::Contains("'wait'"));
  CHECK_THROWS_WITH(
      ModelPruning("l1_unstructured", {.amount = 1.5}),
      Catch::Contains("amount must be a count from 0, or a share from 0.0 to 1.0, found 1.5"));
  CHECK_THROWS_WITH(ModelPruning("l1_unstructured", {.verbose = 3}), Catch::Contains("verbose"));
  BackboneModule module;
  Trainer missing(quiet(1), {pruning({.parameters_to_prune = {"head.wait"}})});
  CHECK_THROWS_WITH(missing.fit(module, toy_data()), Catch::Contains("'head.wait'"));
  Trainer too_much(quiet(1), {pruning({.amount = int64_t{17}})});
  CHECK_THROWS_WITH(too_much.fit(module, toy_data()), Catch::Contains("amount is 17"));
  CHECK_FALSE(module.mask("head.weight").defined());
}

}  // namespace model_pruning_test
