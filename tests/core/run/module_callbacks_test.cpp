// The callbacks of a module's configure_callbacks belong to the runs of that module.
#include "catch.h"
#include "grapnel/callbacks/early_stopping.h"
#include "toy.h"

namespace module_callbacks_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

class Counting : public Callback {
 public:
  void on_train_batch_end(TrainBatchEnd&) override { ++batches; }
  int batches = 0;
};

class WithCallbacks : public ToyModule {
 public:
  std::vector<CallbackHandle> configure_callbacks() override { return own; }
  std::vector<CallbackHandle> own;
};

std::vector<const Callback*> callbacks_of(const Trainer& trainer) {
  std::vector<const Callback*> all;
  for (const CallbackHandle& handle : trainer.callbacks()) all.push_back(handle.callback.get());
  return all;
}

}  // namespace

TEST_CASE("a run of another module has the trainer's own callbacks again") {
  const auto counting = std::make_shared<Counting>();
  const auto trainers = std::make_shared<EarlyStopping>("val_loss");
  const auto last = std::make_shared<Counting>();
  WithCallbacks module;
  const auto modules = std::make_shared<EarlyStopping>("val_loss");
  const auto of_module = std::make_shared<Counting>();
  module.own = {modules, of_module};
  // A Counting of the module replaces the trainer's of the same class too.
  Trainer trainer(quiet(2), {counting, trainers, last});
  const auto at_first = callbacks_of(trainer);
  trainer.fit(module, toy_data());
  CHECK(callbacks_of(trainer) == std::vector<const Callback*>{modules.get(), of_module.get()});
  CHECK(of_module->batches == 6);

  ToyModule other;
  trainer.set_max_epochs(4);
  trainer.fit(other, toy_data());
  CHECK(callbacks_of(trainer) == at_first);
  CHECK(of_module->batches == 6);
  CHECK(counting->batches == 6);

  trainer.set_max_epochs(5);
  trainer.fit(module, toy_data());
  CHECK(callbacks_of(trainer) == std::vector<const Callback*>{modules.get(), of_module.get()});
  CHECK(of_module->batches == 9);
}

}  // namespace module_callbacks_test
