// Texts that a plugin is given are UTF-8, whatever bytes the user's program puts into them.
#include <grapnel/ext/batch.h>
#include <grapnel/ext/metrics.h>
#include <grapnel/ext/module.h>
#include <grapnel/ext/outputs.h>

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <stdexcept>
#include <utility>

#include <grapnel/base/text.h>
#include <grapnel/optim/registry.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace utf8_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const std::string kBad = "bad \xff byte";
const std::string kShown = "bad \xef\xbf\xbd byte";

// A batch and a buffer whose names are no UTF-8.
class OddlyNamedLoader final : public DataLoader {
 public:
  std::optional<std::int64_t> size() const override { return 1; }
  void start(std::int64_t) override { done_ = false; }
  std::optional<Batch> next() override {
    if (std::exchange(done_, true)) return {};
    return Batch({at::ones({2, 3}), at::ones({2, 1})}, {kBad, "y"});
  }

 private:
  bool done_ = false;
};

class OddlyNamedModule final : public Module {
 public:
  OddlyNamedModule() {
    view_.add({"weight", weight});
    view_.add({kBad, at::zeros({}), /*is_parameter=*/false});
  }
  StepOutput training_step(Batch& batch, std::int64_t) override {
    StepOutput output = (batch[0].mm(weight) - batch[1]).pow(2).mean();
    output.extras = {{kBad, output.loss.detach()}};
    return output;
  }
  OptimizerConfig configure_optimizers() override {
    OptimizerConfig config;
    config.optimizers = {make_optimizer(parse_json(R"({"name": "SGD"})", "a test"), "optimizer",
                                        one_group({weight}))};
    config.optimizers[0]->groups()[0].name = kBad;
    return config;
  }
  at::Tensor weight = at::ones({3, 1}).set_requires_grad(true);
};

}  // namespace

TEST_CASE("the reason of a stop and the message of an exception are UTF-8") {
  std::string reason, message;
  InProcessPlugin plugin;
  plugin.on(Hook::on_run_end, [&](const Caller&, const grapnel_Event* raw) {
    reason = text(reinterpret_cast<const grapnel_RunEnd*>(raw)->reason);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_exception, [&](const Caller&, const grapnel_Event* raw) {
    message = text(reinterpret_cast<const grapnel_ExceptionEvent*>(raw)->message);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.module.during_step = [&](const std::string&, Batch&) { toy.trainer->request_stop(kBad); };
  toy.fit({plugin.handle()});
  CHECK(is_utf8(reason));
  CHECK_THAT(reason, Catch::Contains("bad "));
  toy.module.during_step = [&](const std::string&, Batch&) { throw std::runtime_error(kBad); };
  CHECK_THROWS(toy.fit({plugin.handle()}));
  CHECK(message == kShown);
}

TEST_CASE("names of batches, outputs, entries and groups of parameters are UTF-8") {
  std::vector<std::string> names;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw);
    grapnel_string name{};
    CHECK(caller.table<grapnel_batches>(GRAPNEL_EXT_BATCH)
              .name(caller.host, event->batch, 0, &name) == GRAPNEL_OK);
    names.push_back(text(name));
    CHECK(caller.table<grapnel_step_outputs>(GRAPNEL_EXT_OUTPUTS)
              .name(caller.host, event->outputs, 0, &name) == GRAPNEL_OK);
    names.push_back(text(name));
    names.push_back(text(caller.entry(GRAPNEL_MODULE_BUFFERS, 0).name));
    names.push_back(text(caller.optimizer_group(0, 0).name));
    return GRAPNEL_OK;
  });
  Toy toy;
  OddlyNamedModule module;
  Trainer trainer(toy.options, {plugin.handle()});
  trainer.fit(module, Data(std::make_shared<OddlyNamedLoader>()));
  CHECK(names == std::vector<std::string>(4, kShown));
}

}  // namespace utf8_test
