// Trainers, modules, data modules, Fabric and leases may be destroyed in any order.
#include <optional>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/fabric.h"
#include "toy.h"

namespace lifetimes_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

class ToyDataModule : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override { return std::make_shared<ToyLoader>(2); }
  DataLoaders val_dataloaders() override { return {std::make_shared<ToyLoader>(1)}; }
};

// Changes something of the module as soon as it is asked to, and holds the lease for good.
class Holder : public Callback {
 public:
  void on_train_start(Event& event) override {
    weights = event.trainer.lease_weights({{"weight", at::ones({3, 1})}}, "ones");
    other = event.trainer.lease("a number", [this] { ++undone; });
  }
  int undone = 0;
  Lease weights;
  Lease other;
};

}  // namespace

TEST_CASE("a destroyed module is forgotten by all trainers that ran it") {
  Trainer fitter(quiet(1));
  Trainer validator(quiet(1));
  {
    ToyModule module;
    fitter.fit(module, toy_data());
    validator.validate(module, std::make_shared<ToyLoader>(1));
    CHECK(fitter.has_module());
    CHECK(validator.has_module());
  }
  CHECK_FALSE(fitter.has_module());
  CHECK_FALSE(validator.has_module());
  CHECK_THROWS_AS(fitter.save_checkpoint("never.ckpt"), ConfigError);
  ToyModule other;
  fitter.fit(other, toy_data());
  CHECK(&fitter.module() == &other);
}

TEST_CASE("a data module that several trainers ran is forgotten by all of them when it goes") {
  ToyModule module;
  Trainer first(quiet(1));
  Trainer second(quiet(1));
  {
    ToyDataModule data;
    first.fit(module, data);
    second.fit(module, data);
    CHECK(data.trainer() == &second);
  }
  CHECK(first.data_module() == nullptr);
  CHECK(second.data_module() == nullptr);
  first.fit(module, toy_data());
}

TEST_CASE("when the last trainer of a module is destroyed, module.trainer() is the one before it") {
  ToyModule module;
  Trainer first(quiet(1));
  first.fit(module, toy_data());
  {
    Trainer second(quiet(1));
    second.fit(module, toy_data());
    CHECK(&module.trainer() == &second);
  }
  CHECK(&module.trainer() == &first);
  Trainer third(quiet(1));
  ToyModule other;
  first.fit(other, toy_data());
  CHECK_FALSE(module.has_trainer());
}

TEST_CASE("a copy of a module belongs to no trainer") {
  ToyModule module;
  Trainer trainer(quiet(1));
  trainer.fit(module, toy_data());
  {
    const ToyModule copy(module);
    CHECK_FALSE(copy.has_trainer());
  }
  CHECK(&trainer.module() == &module);
  ToyModule assigned;
  assigned = module;
  CHECK_FALSE(assigned.has_trainer());
  CHECK(&module.trainer() == &trainer);
}

TEST_CASE("a Fabric may outlive its module, also with leased weights") {
  auto holder = std::make_shared<Holder>();
  {
    Fabric fabric({.callbacks = {holder}});
    {
      ToyModule net;
      fabric.setup(net);
      fabric.call("on_train_start");
      CHECK(at::equal(net.weight, at::ones({3, 1})));
      CHECK(holder->weights.active());
    }
    CHECK_FALSE(holder->weights.active());
    CHECK_FALSE(holder->other.active());
  }
  CHECK(holder->undone == 0);
}

TEST_CASE("a module that outlives its Fabric has its own weights and modes back") {
  ToyModule net;
  const at::Tensor before = net.weight.detach().clone();
  auto holder = std::make_shared<Holder>();
  {
    Fabric fabric({.callbacks = {holder}});
    fabric.setup(net);
    fabric.call("on_train_start");
  }
  CHECK(at::equal(net.weight, before));
  CHECK(holder->undone == 1);
  CHECK_FALSE(net.has_trainer());
}

}  // namespace lifetimes_test
