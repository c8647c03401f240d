// One loader in several places, and settings of loaders that a run changes: the walks don't disturb each other,
// and the caller's loader is as it was afterwards.
#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/data/combined_loader.h"
#include "grapnel/data/function_loader.h"
#include "grapnel/data/tensor_loader.h"
#include "grapnel/fabric.h"
#include "toy.h"

namespace shared_loader_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

using Numbers = std::vector<int64_t>;

std::shared_ptr<TensorLoader> tensors(int64_t samples, int64_t batch_size, bool shuffle = false) {
  return std::make_shared<TensorLoader>(
      std::vector<at::Tensor>{at::rand({samples, 3}), at::rand({samples, 1})},
      TensorLoaderOptions{.batch_size = batch_size, .shuffle = shuffle, .seed = 3});
}

// Batches of one sample; its only position is its own.
class OnePosition : public DataLoader {
 public:
  explicit OnePosition(int64_t batches, bool sized = true) : batches_(batches), sized_(sized) {}
  std::optional<int64_t> size() const override {
    return sized_ ? std::optional(batches_) : std::nullopt;
  }
  void start(int64_t) override { next_ = 0; }
  std::optional<Batch> next() override {
    if (next_ == batches_) return {};
    Batch batch({at::zeros({1, 3}), at::zeros({1, 1})}, {"x", "y"});
    batch.sample_indices = {next_++};
    return batch;
  }

 private:
  int64_t batches_;
  bool sized_;
  int64_t next_ = 0;
};

std::shared_ptr<FunctionLoader> function(int64_t batches, std::optional<int64_t> size) {
  return std::make_shared<FunctionLoader>(
      [batches](int64_t) -> FunctionLoader::Batches {
        return [next = int64_t{0}, batches]() mutable -> std::optional<Batch> {
          if (next == batches) return {};
          Batch batch({at::zeros({1, 3}), at::zeros({1, 1})}, {"x", "y"});
          batch.sample_indices = {next++};
          return batch;
        };
      },
      FunctionLoaderOptions{.size = size});
}

// Notes the first sample of each training batch and counts those of validation.
class Noting : public ToyModule {
 public:
  StepOutput training_step(Batch& batch, int64_t index) override {
    trained.push_back(batch.sample_indices.at(0));
    return ToyModule::training_step(batch, index);
  }
  StepOutput validation_step(Batch& batch, int64_t index, int64_t loader) override {
    ++validated;
    return ToyModule::validation_step(batch, index, loader);
  }
  Numbers trained;
  int64_t validated = 0;
};

TrainerOptions twice_an_epoch(int64_t epochs) {
  TrainerOptions options = quiet(epochs);
  options.val_check_interval = 0.5;
  return options;
}

Numbers run_of(int64_t batches, int64_t epochs, int64_t factor = 1) {
  Numbers numbers;
  for (int64_t i = 0; i < batches * epochs; ++i) numbers.push_back(i % batches * factor);
  return numbers;
}

}  // namespace

TEST_CASE("a training that validates on its own loader trains on every batch") {
  const auto check = [](const std::shared_ptr<DataLoader>& loader, const TrainerOptions& options,
                        int64_t factor) {
    Noting module;
    Trainer trainer(options);
    trainer.fit(module, Data(loader, {loader}));
    CHECK(module.trained == run_of(10, 2, factor));
    CHECK(module.validated == 40);
  };
  TrainerOptions by_count = quiet(2);
  by_count.val_check_interval = int64_t{5};
  SECTION("tensors") {
    check(tensors(20, 2), twice_an_epoch(2), 2);
  }
  SECTION("a function of known length") {
    check(function(10, 10), twice_an_epoch(2), 1);
  }
  SECTION("a function of unknown length") {
    check(function(10, std::nullopt), by_count, 1);
  }
  SECTION("a loader with one position") {
    check(std::make_shared<OnePosition>(10), twice_an_epoch(2), 1);
  }
  SECTION("a loader with one position and unknown length") {
    check(std::make_shared<OnePosition>(10, false), by_count, 1);
  }
}

TEST_CASE("a loader in training may be a part of what is validated on") {
  const auto one = std::make_shared<OnePosition>(4);
  const auto both = std::make_shared<CombinedLoader>(
      std::vector<CombinedLoader::Source>{{"a", one}, {"b", one}}, CombinedMode::sequential);
  Noting module;
  Trainer trainer(twice_an_epoch(1));
  trainer.fit(module, Data(one, {both}));
  CHECK(module.trained == run_of(4, 1));
  CHECK(module.validated == 16);
}

TEST_CASE("one loader twice in a CombinedLoader gives all its batches to both") {
  const auto loader = tensors(8, 2);
  CombinedLoader combined({{"a", loader}, {"b", loader}}, CombinedMode::min_size);
  CHECK(combined.size() == 4);
  combined.start(0);
  int64_t batches = 0;
  while (const auto batch = combined.next()) {
    CHECK(at::equal((*batch)["a.0"], (*batch)["b.0"]));
    ++batches;
  }
  CHECK(batches == 4);

  const auto one = std::make_shared<OnePosition>(4);
  CHECK_THROWS_WITH(CombinedLoader({{"a", one}, {"b", one}}, CombinedMode::min_size),
                    Contains("'a' and 'b'") && Contains("cursor()"));
  CombinedLoader in_turn({{"a", one}, {"b", one}}, CombinedMode::sequential);
  in_turn.start(0);
  for (batches = 0; in_turn.next(); ++batches) {
  }
  CHECK(batches == 8);
}

TEST_CASE("a hook may read from the training loader during an epoch") {
  class Peeking : public Noting {
   public:
    explicit Peeking(std::shared_ptr<DataLoader> loader) : loader_(std::move(loader)) {}
    void on_train_batch_end(TrainBatchEnd&) override {
      loader_->start(5);
      loader_->next();
    }

   private:
    std::shared_ptr<DataLoader> loader_;
  };
  const auto loader = tensors(12, 2, /*shuffle=*/true);
  Noting undisturbed;
  Trainer(quiet(2)).fit(undisturbed, Data(loader));
  Peeking module(loader);
  Trainer(quiet(2)).fit(module, Data(loader));
  CHECK(module.trained == undisturbed.trained);
}

TEST_CASE("two loops of a Fabric over one loader each have all batches") {
  Fabric fabric;
  const auto loader = tensors(6, 2);
  FabricDataLoader outer = fabric.setup_dataloader(loader);
  FabricDataLoader inner = fabric.setup_dataloader(loader);
  int64_t pairs = 0;
  for ([[maybe_unused]] const Batch& a : outer) {
    for ([[maybe_unused]] const Batch& b : inner) ++pairs;
  }
  CHECK(pairs == 9);
}

TEST_CASE("overfit_batches turns shuffling off until the run ends, however it does") {
  const auto shuffled = tensors(12, 2, /*shuffle=*/true);
  const auto in_order = tensors(12, 2);
  std::shared_ptr<DataLoader> loader = shuffled;
  TrainerOptions options = quiet(1);
  options.overfit_batches = 2;
  const auto check_again = [&] {
    CHECK(shuffled->shuffles());
    CHECK_FALSE(in_order->shuffles());
  };
  SECTION("in order") {
    Noting module;
    Trainer(options).fit(module, Data(loader, {loader}));
    CHECK(module.trained == Numbers{0, 2});
    check_again();
    Noting after;
    Trainer(quiet(1)).fit(after, Data(loader));
    Noting fresh;
    Trainer(quiet(1)).fit(fresh, Data(tensors(12, 2, /*shuffle=*/true)));
    CHECK(after.trained == fresh.trained);
    CHECK(after.trained != run_of(6, 1, 2));
  }
  SECTION("by an exception") {
    class Failing : public Noting {
      void on_train_batch_end(TrainBatchEnd&) override { throw std::runtime_error("boom"); }
    } module;
    CHECK_THROWS_WITH(Trainer(options).fit(module, Data(loader)), "boom");
    check_again();
  }
  SECTION("for the parts of a combination that shuffle") {
    class Two : public ToyModule {
     public:
      StepOutput training_step(Batch&, int64_t) override { return weight.sum() * 0; }
    } module;
    loader = std::make_shared<CombinedLoader>(
        std::vector<CombinedLoader::Source>{{"a", shuffled}, {"b", in_order}},
        CombinedMode::min_size);
    Trainer(options).fit(module, Data(loader));
    check_again();
  }
}

TEST_CASE("predict gives drop_last back after an exception, and warns of a shuffled loader") {
  class Failing : public ToyModule {
   public:
    explicit Failing(bool fails) : fails_(fails) {}
    TensorTree predict_step(Batch& batch, int64_t, int64_t) override {
      if (fails_) throw std::runtime_error("boom");
      return batch[0];
    }

   private:
    bool fails_;
  };
  const auto loader = std::make_shared<TensorLoader>(
      std::vector<at::Tensor>{at::rand({5, 3})},
      TensorLoaderOptions{.batch_size = 2, .shuffle = true, .drop_last = true});
  const CapturedLog log;
  Failing module(true);
  CHECK_THROWS_WITH(Trainer(quiet(1)).predict(module, Data(loader)), "boom");
  CHECK(loader->drops_last());
  CHECK_THAT(log.text(), Contains("predict_dataloader shuffles"));
  Failing good(false);
  CHECK(Trainer(quiet(1)).predict(good, Data(loader)).at(0).size() == 3);
  CHECK(loader->drops_last());
}

TEST_CASE("a stream that is used for a second epoch is said to be exhausted") {
  int64_t next = 0;
  FunctionLoader loader([&next](int64_t) -> FunctionLoader::Batches {
    return [&next]() -> std::optional<Batch> {
      if (next++ >= 3) return {};
      return Batch({at::zeros({1})});
    };
  });
  const CapturedLog log;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    loader.start(epoch);
    while (loader.next()) {
    }
  }
  CHECK(log.count("warning: ") == 1);
  CHECK_THAT(log.text(), Contains("epoch 1") && Contains("can't be read again"));
  CHECK_THROWS_WITH(function(3, -1), Contains("size") && Contains("-1"));
}

}  // namespace shared_loader_test
