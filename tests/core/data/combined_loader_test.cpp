// Several loaders as one.
#include "grapnel/data/combined_loader.h"

#include "catch.h"
#include "grapnel/base/error.h"
#include "toy.h"

namespace combined_loader_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Batch i of an epoch is one tensor of the value 100 * epoch + i, named "x" when asked.
class Counting : public DataLoader {
 public:
  explicit Counting(int64_t batches, bool named = false) : batches_(batches), named_(named) {}
  std::optional<int64_t> size() const override { return batches_; }
  void start(int64_t epoch) override {
    epoch_ = epoch;
    next_ = 0;
  }
  std::optional<Batch> next() override {
    if (next_ == batches_) return {};
    const auto value = static_cast<double>(100 * (epoch_ >> 32 != 0 ? -1 : epoch_) + next_++);
    return Batch({at::full({1}, value)},
                 named_ ? std::vector<std::string>{"x"} : std::vector<std::string>{});
  }

 private:
  int64_t batches_;
  bool named_;
  int64_t epoch_ = 0;
  int64_t next_ = 0;
};

std::shared_ptr<CombinedLoader> combined(CombinedMode mode, int64_t a, int64_t b) {
  return std::make_shared<CombinedLoader>(
      std::vector<CombinedLoader::Source>{{"a", std::make_shared<Counting>(a, true)},
                                          {"b", std::make_shared<Counting>(b)}},
      mode);
}

// The values of an epoch, "a.x|b.0"; "-" for an undefined tensor.
std::vector<std::string> walk(CombinedLoader& loader, int64_t epoch = 0) {
  const auto text = [](const at::Tensor& tensor) {
    return tensor.defined() ? std::to_string(tensor.item<int64_t>()) : std::string("-");
  };
  std::vector<std::string> values;
  loader.start(epoch);
  while (const auto batch = loader.next()) {
    values.push_back(batch->size() == 1 ? text((*batch)[0])
                                        : text((*batch)["a.x"]) + "|" + text((*batch)["b.0"]));
  }
  return values;
}

using Values = std::vector<std::string>;

}  // namespace

TEST_CASE("CombinedLoader's min_size ends with the shortest loader") {
  const auto loader = combined(CombinedMode::min_size, 3, 2);
  CHECK(loader->size() == 2);
  CHECK((walk(*loader, 1) == Values{"100|100", "101|101"}));
  CHECK((walk(*loader) == Values{"0|0", "1|1"}));
}

TEST_CASE("CombinedLoader's max_size_cycle repeats shorter loaders, in another order each round") {
  const auto loader = combined(CombinedMode::max_size_cycle, 5, 2);
  CHECK(loader->size() == 5);
  CHECK((walk(*loader) == Values{"0|0", "1|1", "2|-100", "3|-99", "4|-100"}));
}

TEST_CASE("CombinedLoader's max_size leaves the tensors of an ended loader undefined") {
  const auto loader = combined(CombinedMode::max_size, 1, 3);
  CHECK(loader->size() == 3);
  CHECK((walk(*loader) == Values{"0|0", "-|1", "-|2"}));
}

TEST_CASE("CombinedLoader's sequential mode gives one loader after the other") {
  const auto loader = combined(CombinedMode::sequential, 2, 1);
  CHECK(loader->size() == 3);
  CHECK((walk(*loader) == Values{"0", "1", "0"}));
}

TEST_CASE(
    "a training on a CombinedLoader has all parts in each batch, with limits and exact resume") {
  class Two : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t) override {
      seen.push_back(batch["a.x"].item<int64_t>() * 10 + batch["b.0"].item<int64_t>());
      return weight.sum() * 0;
    }
    std::vector<int64_t> seen;
  };
  Two module;
  TrainerOptions options = quiet(1);
  options.limit_train_batches = 3;
  Trainer trainer(options);
  trainer.fit(module, Data(combined(CombinedMode::max_size_cycle, 4, 3)));
  CHECK((module.seen == std::vector<int64_t>{0, 11, 22}));
}

TEST_CASE("an evaluation treats each source of a sequential CombinedLoader as a loader") {
  class Indices : public ToyModule {
   public:
    StepOutput test_step(Batch&, int64_t batch_idx, int64_t dataloader_idx) override {
      seen.emplace_back(dataloader_idx, batch_idx);
      return std::nullopt;
    }
    std::vector<std::pair<int64_t, int64_t>> seen;
  };
  Indices module;
  Trainer trainer(quiet(1));
  trainer.test(module, Data(combined(CombinedMode::sequential, 2, 1)));
  CHECK((module.seen == std::vector<std::pair<int64_t, int64_t>>{{0, 0}, {0, 1}, {1, 0}}));
}

TEST_CASE("CombinedLoader refuses what a mode can't do and names the mode that can") {
  ToyModule module;
  Trainer trainer(quiet(1));
  CHECK_THROWS_WITH(trainer.fit(module, Data(combined(CombinedMode::sequential, 2, 1))),
                    Catch::Contains("sequential") && Catch::Contains("min_size"));
  CHECK_THROWS_WITH(trainer.predict(module, Data(combined(CombinedMode::max_size, 2, 1))),
                    Catch::Contains("max_size") && Catch::Contains("sequential"));
  const auto cycle = combined(CombinedMode::max_size_cycle, 2, 0);
  cycle->start(0);
  CHECK_THROWS_WITH(cycle->next(), Catch::Contains("'b'") || Catch::Contains("\"b\""));
  CHECK_THROWS_AS(CombinedLoader({}, CombinedMode::min_size), ConfigError);
  const auto one = std::make_shared<Counting>(1);
  CHECK_THROWS_WITH(CombinedLoader({{"a", one}, {"a", one}}, CombinedMode::min_size),
                    Catch::Contains("a"));
  CHECK_THROWS_AS(CombinedLoader({{"a", nullptr}}, CombinedMode::min_size), ConfigError);
}

}  // namespace combined_loader_test
