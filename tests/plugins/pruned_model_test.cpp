// The plugins that ship on a model that ModelPruning prunes: "weight" gets a mask in the middle of
// the training and loses it when pruning becomes permanent.
#include <ATen/TensorOperators.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <grapnel/callbacks/model_pruning.h>
#include <grapnel/checkpoint.h>

#include "catch.h"
#include "shipped_plugin.h"

namespace pruned_model_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// One of three elements goes at the end of the first epoch, one more at the end of the second.
CallbackHandle pruner(bool permanent) {
  ModelPruningOptions options;
  options.parameters_to_prune = {"weight"};
  options.amount = PruningAmount(std::int64_t{1});
  options.apply_pruning = std::function<bool(std::int64_t)>([](auto epoch) { return epoch < 2; });
  options.make_pruning_permanent = permanent;
  options.use_lottery_ticket_hypothesis = false;
  return std::make_shared<ModelPruning>("l1_unstructured", options);
}
CallbackHandle ema() {
  return shipped_plugin("ema", R"({"decay": 0.5})");
}

at::Tensor mask_of(ToyModule& module) {
  const at::Tensor& mask = module.state_view().find("weight")->mask;
  return mask.defined() ? mask.clone() : at::ones_like(module.weight).detach();
}

// Follows the trained weights and computes their average; remembers what validations and tests ran
// with.
struct Follower final : Callback {
  explicit Follower(ToyModule& followed) : module(followed) {}
  void on_train_batch_end(TrainBatchEnd&) override {
    const at::Tensor weight = module.weight.detach().clone();
    average = average.defined() ? average.lerp(weight, 0.5) : weight;
  }
  void on_validation_batch_end(EvalBatchEnd&) override {
    seen.push_back(module.weight.detach().clone());
    expected.push_back(average.defined() ? average * mask_of(module) : at::Tensor());
    masks.push_back(mask_of(module));
  }
  void on_test_batch_end(EvalBatchEnd&) override { seen.push_back(module.weight.detach().clone()); }
  void on_train_epoch_end(Event&) override { masks.push_back(mask_of(module)); }
  ToyModule& module;
  at::Tensor average;
  std::vector<at::Tensor> seen, expected, masks;
};

// Saves a checkpoint at a training batch or a validation's end, counted from 1 over the whole run.
struct Saver final : Callback {
  Saver(std::filesystem::path path, int at_batch, int at_validation)
      : file(std::move(path)), batch(at_batch), validation(at_validation) {}
  void on_train_batch_end(TrainBatchEnd& event) override {
    if (--batch == 0) event.trainer.save_checkpoint(file);
  }
  void on_validation_end(Event& event) override {
    if (--validation == 0) event.trainer.save_checkpoint(file);
  }
  std::filesystem::path file;
  int batch, validation;
};

struct PrunedToy : Toy {
  std::shared_ptr<Follower> follower = std::make_shared<Follower>(module);
  CapturedLog log;
  bool permanent;

  explicit PrunedToy(bool is_permanent) : permanent(is_permanent) { options.max_epochs = 4; }
  // Extra callbacks come behind ema.
  void train(std::vector<CallbackHandle> extra = {}, const RunOptions& run = {}) {
    std::vector<CallbackHandle> callbacks = {pruner(permanent), follower, ema()};
    for (CallbackHandle& each : extra) {
      each.origin = CallbackOrigin::plugin;
      callbacks.push_back(std::move(each));
    }
    fit(std::move(callbacks), run);
  }
};

bool close(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() < 1e-6;
}
std::int64_t zeros_of(const at::Tensor& tensor) {
  return (tensor == 0).sum().item<std::int64_t>();
}

}  // namespace

TEST_CASE("ema validates its average under the masks, and leaves the masks alone") {
  for (const bool permanent : {true, false}) {
    PrunedToy toy(permanent);
    toy.train();
    const Follower& run = *toy.follower;
    REQUIRE(run.seen.size() == 8);
    for (std::size_t i = 0; i < run.seen.size(); ++i) {
      INFO("validation batch " << i << ", permanent " << permanent);
      CHECK(close(run.seen[i], run.expected[i]));
    }
    CHECK(zeros_of(run.seen[1]) == 0);
    CHECK(zeros_of(run.seen[2]) == 1);
    CHECK(zeros_of(run.seen[4]) == 2);
    for (const at::Tensor& mask : run.masks) {
      CHECK(((mask == 0) | (mask == 1)).all().item<bool>());
    }
    CHECK(toy.log.count("starts over") == 0);
  }
}

TEST_CASE("a model whose pruning becomes permanent ends with ema's average, as sparse as it is") {
  PrunedToy toy(true);
  toy.train();
  const Follower& run = *toy.follower;
  const at::Tensor end = toy.module.weight.detach();
  CHECK_FALSE(toy.module.state_view().find("weight")->mask.defined());
  CHECK(close(end, run.average * run.masks.back()));
  CHECK(zeros_of(end) == 2);
}

TEST_CASE("a model that keeps its masks ends with ema's average") {
  PrunedToy toy(false);
  toy.train();
  const Follower& run = *toy.follower;
  REQUIRE(toy.module.state_view().find("weight")->mask.defined());
  CHECK(close(toy.module.weight.detach(), run.average));
  CHECK(mask_of(toy.module).equal(run.masks.back()));
}

TEST_CASE("a checkpoint written when the training ends has the average under the masks") {
  struct AtTheEnd final : Callback {
    explicit AtTheEnd(std::filesystem::path path) : file(std::move(path)) {}
    void on_fit_end(Event& event) override { event.trainer.save_checkpoint(file); }
    std::filesystem::path file;
  };
  const TempDir directory;
  PrunedToy toy(true);
  toy.train({std::make_shared<AtTheEnd>(directory / "end.ckpt")});
  const StateDict checkpoint = load_checkpoint_file(directory / "end.ckpt");
  const at::Tensor& saved = checkpoint.at("state_dict").to_dict().at("weight").to_tensor();
  CHECK(saved.equal(toy.module.weight.detach()));
}

TEST_CASE("a pruned training with ema, resumed anywhere, ends with the same bits") {
  for (const bool permanent : {true, false}) {
    PrunedToy whole(permanent);
    whole.train();
    const auto check = [&](int batch, int validation) {
      INFO("batch " << batch << ", validation " << validation << ", permanent " << permanent);
      const TempDir directory;
      const auto file = directory / "middle.ckpt";
      PrunedToy first(permanent);
      first.train({std::make_shared<Saver>(file, batch, validation)});
      PrunedToy resumed(permanent);
      resumed.train({}, {.ckpt_path = file.string()});
      CHECK(resumed.module.weight.detach().equal(whole.module.weight.detach()));
      CHECK(resumed.follower->seen.back().equal(whole.follower->seen.back()));
      CHECK(resumed.log.count("starts over") == 0);
    };
    for (const int batch : {2, 5, 6, 11, 13}) check(batch, 0);
    for (const int validation : {1, 2, 3}) check(0, validation);
  }
}

TEST_CASE("a test from a checkpoint of a pruned training runs with ema's average under the masks") {
  for (const bool permanent : {true, false}) {
    for (const int batch : {3, 7, 14, 16}) {
      INFO("batch " << batch << ", permanent " << permanent);
      const TempDir directory;
      const auto file = directory / "middle.ckpt";
      // What a validation would see that stood there.
      at::Tensor expected;
      struct Expected final : Callback {
        Expected(Follower& of_run, int at_batch, at::Tensor& result)
            : follower(of_run), batch(at_batch), expected(result) {}
        void on_train_batch_end(TrainBatchEnd&) override {
          if (--batch == 0) expected = follower.average * mask_of(follower.module);
        }
        Follower& follower;
        int batch;
        at::Tensor& expected;
      };
      PrunedToy trained(permanent);
      trained.train({std::make_shared<Saver>(file, batch, 0),
                     std::make_shared<Expected>(*trained.follower, batch, expected)});

      PrunedToy tested(permanent);
      tested.trainer = std::make_unique<Trainer>(
          tested.options, std::vector<CallbackHandle>{pruner(permanent), tested.follower, ema()});
      tested.trainer->test(tested.module, Data(DataLoaders{tested.val}),
                           {.ckpt_path = file.string()});
      REQUIRE_FALSE(tested.follower->seen.empty());
      CHECK(close(tested.follower->seen[0], expected));
      CHECK(tested.log.count("starts over") == 0);
    }
  }
}

TEST_CASE("optimizer_monitor measures the same change with automatic and manual optimization") {
  const auto ratio = [](bool automatic) {
    Toy toy;
    toy.options.max_epochs = 3;
    toy.options.log_every_n_steps = 1;
    toy.module.automatic_optimization = automatic;
    toy.module.during_step = [&](const std::string& stage, Batch& batch) {
      if (automatic || stage != "train") return;
      ManualOptimizer optimizer = toy.module.optimizers();
      toy.module.manual_backward((toy.module.forward(batch[0]) - batch[1]).pow(2).mean());
      optimizer.step();
      optimizer.zero_grad();
    };
    toy.fit({pruner(false), shipped_plugin("optimizer_monitor")});
    return toy.trainer->callback_metrics().at("update_ratio/total");
  };
  CHECK(ratio(false) == Approx(ratio(true)));
}

TEST_CASE("best_model_exporter writes the masked weights that were validated") {
  for (const bool with_ema : {true, false}) {
    const TempDir directory;
    PrunedToy toy(false);
    toy.options.default_root_dir = directory.path();
    const auto file = directory / "best.safetensors";
    std::vector<CallbackHandle> callbacks = {
        pruner(false), toy.follower,
        shipped_plugin(
            "best_model_exporter",
            R"({"monitor": "val_loss", "mode": "max", "filename": ")" + file.string() + "\"}")};
    if (with_ema) callbacks.push_back(ema());
    toy.fit(std::move(callbacks));
    const std::string content = read_file(file);
    std::uint64_t length = 0;
    std::memcpy(&length, content.data(), sizeof length);
    const std::string header = content.substr(8, length);
    CHECK_THAT(header, !Catch::Contains("_orig") && !Catch::Contains("_mask"));
    const std::string key = "\"epoch\":\"";
    const auto epoch = std::stoul(header.substr(header.find(key) + key.size()));
    REQUIRE(epoch > 0);  // when it was pruned
    float weight[3];
    std::memcpy(weight, content.data() + 8 + length, sizeof weight);
    const at::Tensor seen = toy.follower->seen.at(2 * epoch);
    for (int i = 0; i < 3; ++i) CHECK(weight[i] == seen[i][0].item<float>());
  }
}

}  // namespace pruned_model_test
