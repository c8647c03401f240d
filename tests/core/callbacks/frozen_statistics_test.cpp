// Frozen batch normalizations keep their statistics, however a batch ends.
#include "../support/backbone.h"
#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/callbacks/base_finetuning.h"

namespace frozen_statistics_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

class FreezeBackbone final : public BaseFinetuning {
 public:
  void freeze_before_training(Module& module) override {
    freeze(module, {"backbone"}, /*train_bn=*/false);
  }
  void finetune(Module&, int64_t, Optimizer&, int64_t) override {}
};

}  // namespace

TEST_CASE("an epoch ended at a batch's start restores the frozen layers' own statistics") {
  BackboneModule module;
  const at::Tensor before = module.tensor("backbone.1.running_mean").clone();
  Trace trace;
  auto ender = std::make_shared<Recorder>(trace);
  int epochs = 0;
  ender->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_batch_start" && trainer.state().batch.current.ready == 2) {
      trainer.request(RequestKind::end_epoch, "a test");
    }
    if (hook == "on_train_epoch_end") {
      ++epochs;
      CHECK_FALSE(trainer.dump_checkpoint().contains("leased_state_dict"));
    }
  };
  Trainer trainer(quiet(3), {std::make_shared<FreezeBackbone>(), ender});
  trainer.fit(module, toy_data(3, 0));
  CHECK(epochs == 3);
  CHECK(trainer.global_step() == 3);
  CHECK(at::equal(module.tensor("backbone.1.running_mean"), before));
}

}  // namespace frozen_statistics_test
