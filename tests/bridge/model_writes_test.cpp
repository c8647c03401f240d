// Operators on the model's tensors: what a tensor is stays, and who wrote is named when autograd
// complains.
#include <grapnel/ext/aten.h>

#include <grapnel/base/error.h>

#include "captured_log.h"
#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/operator_lists.h"
#include "support/toy_training.h"

namespace model_writes_test {

using namespace grapnel;
using namespace grapnel::test;
using Arguments = std::vector<grapnel_value>;
using Results = std::vector<grapnel_value>;

TEST_CASE("what a tensor of the model is can't be changed by an operator") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* weight = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
    grapnel_tensor* again = nullptr;
    REQUIRE(caller.tensors().retain(caller.host, weight, &again) == GRAPNEL_OK);
    grapnel_tensor* other = caller.floats({1});
    Results none_wanted;
    for (grapnel_tensor* tensor : {weight, again}) {
      CHECK(caller.call("aten::requires_grad_", "", {value_of(tensor), value_of(false)},
                        none_wanted) == GRAPNEL_PENDING);
      CHECK(caller.call("aten::detach_", "", {value_of(tensor)}, none_wanted) == GRAPNEL_PENDING);
      CHECK(caller.call("aten::t_", "", {value_of(tensor)}, none_wanted) == GRAPNEL_PENDING);
      CHECK(caller.call("aten::set_", "source_Tensor", {value_of(tensor), value_of(other)},
                        none_wanted) == GRAPNEL_PENDING);
      CHECK(caller.call("aten::resize_", "", {value_of(tensor), integers({9, 9})}, none_wanted) ==
            GRAPNEL_PENDING);
      // Its elements are the plugin's to write.
      CHECK(caller.call("aten::mul_", "Scalar", {value_of(tensor), value_of(1.0)}, none_wanted) ==
            GRAPNEL_OK);
    }
    // A plugin's own tensor may be anything.
    CHECK(caller.call("aten::resize_", "", {value_of(other), integers({4})}, none_wanted) ==
          GRAPNEL_OK);
    for (grapnel_tensor* tensor : {again, other}) caller.tensors().release(caller.host, tensor);
    return GRAPNEL_OK;
  });
  Toy toy;
  const auto shape = toy.module.weight.sizes().vec();
  const at::Tensor before = toy.module.weight.detach().clone();
  toy.fit({plugin.handle()});
  CHECK(toy.module.weight.requires_grad());
  CHECK(toy.module.weight.sizes().vec() == shape);
  CHECK_FALSE(toy.module.weight.equal(before));  // it trained
  CHECK(log.count("aten::requires_grad_ would change what 'weight' of the model is") > 0);
}

TEST_CASE("who wrote to the model before its backward pass is named when autograd complains") {
  class Squared final : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, std::int64_t) override {
      return loss_of(batch) + weight.pow(2).sum();  // whose gradient needs the weight
    }
  };
  struct Writer {
    Hook hook;
    const char* through;  // an operator that makes an alias; empty: none
  };
  for (const Writer& writer :
       {Writer{Hook::on_before_backward, ""}, Writer{Hook::on_before_backward, "aten::detach"},
        Writer{Hook::on_before_zero_grad, ""}}) {
    CapturedLog log;
    InProcessPlugin plugin;
    plugin.on(writer.hook, [&](const Caller& caller, const grapnel_Event*) {
      Results none_wanted, alias(1);
      grapnel_tensor* target = caller.entry(GRAPNEL_MODULE_PARAMETERS, 0).tensor;
      if (*writer.through != '\0') {
        REQUIRE(caller.call(writer.through, "", {value_of(target)}, alias) == GRAPNEL_OK);
        target = alias[0].u.tensor;
      }
      const std::int32_t status =
          caller.call("aten::mul_", "Scalar", {value_of(target), value_of(2.0)}, none_wanted);
      if (*writer.through != '\0') caller.tensors().release(caller.host, target);
      return status;
    });
    Squared module;
    Trainer trainer(quiet(1), {plugin.handle()});
    CHECK_THROWS_WITH(trainer.fit(module, toy_data(2, 0)),
                      Catch::Contains("modified by an inplace operation"));
    const auto hook = std::string(kHookNames[static_cast<std::size_t>(writer.hook)]);
    CHECK(log.count("[probe] " + hook + " wrote to 'weight' (aten::mul_.Scalar)") == 1);
  }
}

TEST_CASE("a write of an earlier batch is not blamed for a later failure") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_before_backward, [](const Caller& caller, const grapnel_Event*) {
    if (caller.trainer_state().batch_idx > 0) return GRAPNEL_OK;
    Results none_wanted;
    grapnel_tensor* bias = caller.entry(GRAPNEL_MODULE_PARAMETERS, 1).tensor;
    return caller.call("aten::mul_", "Scalar", {value_of(bias), value_of(1.0)}, none_wanted);
  });
  class Failing final : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, std::int64_t batch_idx) override {
      const at::Tensor squares = weight.pow(2).sum();
      if (batch_idx > 0) weight.detach().mul_(1.0);  // its own mistake
      return batch_idx > 0 ? loss_of(batch) + squares : loss_of(batch);
    }
  };
  Failing module;
  Trainer trainer(quiet(1), {plugin.handle()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(2, 0)),
                    Catch::Contains("modified by an inplace operation"));
  CHECK(log.count("wrote to") == 0);
}

}  // namespace model_writes_test
