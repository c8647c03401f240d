#include "grapnel/data.h"

#include <ATen/ops/zeros.h>

#include "catch.h"
#include "grapnel/base/error.h"
#include "toy.h"

namespace data_test {

using namespace grapnel;
using Catch::Contains;

namespace {

class Numbers final : public DataLoader {
 public:
  std::optional<int64_t> size() const override { return 5; }
  void start(int64_t epoch) override { next_ = 10 * epoch; }
  std::optional<Batch> next() override {
    if (next_ % 10 == 5) return {};
    Batch batch({at::zeros({1})});
    batch.sample_indices = {next_++};
    return batch;
  }

 private:
  int64_t next_ = 0;
};

class Pictures : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override { return std::make_shared<Numbers>(); }
};
class MorePictures final : public Pictures {
  void prepare_data() override {}
};

}  // namespace

TEST_CASE("DataLoader::skip fetches batches by default") {
  Numbers loader;
  loader.start(2);
  loader.skip(3);
  CHECK(loader.next()->sample_indices == std::vector<int64_t>{23});
  loader.skip(100);
  CHECK_FALSE(loader.next().has_value());
}

TEST_CASE("a data module's type name and overridden functions are those of its class") {
  Pictures pictures;
  const Data data(pictures);
  CHECK(data.module == &pictures);
  CHECK(data.methods.test(static_cast<size_t>(DataMethod::train_dataloader)));
  CHECK_FALSE(data.methods.test(static_cast<size_t>(DataMethod::val_dataloaders)));
  CHECK(pictures.type_name() == "Pictures");

  MorePictures more;
  CHECK(Data(more).methods.test(static_cast<size_t>(DataMethod::prepare_data)));
  Pictures& as_base = more;
  CHECK_THROWS_AS(Data(as_base), ConfigError);
  CHECK_THROWS_WITH(Data(as_base), Contains("is a MorePictures") && Contains("as a Pictures"));
}

TEST_CASE("Data takes one loader, a list, or loaders for training and validation") {
  const auto one = std::make_shared<Numbers>();
  const auto two = std::make_shared<Numbers>();
  CHECK(Data(one).train == one);
  CHECK(Data(one).eval.empty());
  CHECK(Data(DataLoaders{one, two}).eval.size() == 2);
  const Data both(one, {two});
  CHECK(both.loaders);
  CHECK(both.train == one);
  CHECK(both.eval == DataLoaders{two});
  CHECK_FALSE(Data().loaders);
  CHECK_THROWS_AS(Data(std::shared_ptr<DataLoader>()), ConfigError);
  CHECK_THROWS_AS(Data(one, {nullptr}), ConfigError);
}

TEST_CASE("a batch keeps names, indices and payload on its way to the device") {
  Pictures pictures;
  Batch batch({at::zeros({2}), at::Tensor()}, {"x", "y"});
  batch.sample_indices = {4, 5};
  batch.payload = 3;
  const Batch moved = pictures.transfer_batch_to_device(batch, at::Device("meta"), 0);
  CHECK(moved["x"].is_meta());
  CHECK_FALSE(moved["y"].defined());
  CHECK(moved.sample_indices == batch.sample_indices);
  CHECK(std::any_cast<int>(moved.payload) == 3);
}

TEST_CASE("a single loader is the loader of any kind of run") {
  class Predicting final : public test::ToyModule {
   public:
    TensorTree predict_step(Batch& batch, int64_t, int64_t) override { return forward(batch[0]); }
    StepOutput test_step(Batch& batch, int64_t, int64_t) override {
      log("test_loss", (forward(batch[0]) - batch[1]).pow(2).mean());
      return {};
    }
  };
  Predicting module;
  Trainer trainer(test::quiet(1));
  const auto loader = std::make_shared<test::ToyLoader>(3);
  CHECK(trainer.validate(module, Data(loader)).at(0).contains("val_loss"));
  CHECK(trainer.test(module, Data(loader)).at(0).contains("test_loss"));
  CHECK(trainer.predict(module, Data(loader)).at(0).size() == 3);
  CHECK(loader->starts == 3);
}

}  // namespace data_test
