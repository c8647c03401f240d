// The plugin probe_batch in a real training.
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <vector>

#include "captured_log.h"
#include "catch.h"
#include "shipped_plugin.h"

namespace probe_batch_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// Three epochs; outputs for the first sample of the training: at the start, and after each epoch.
struct Probed {
  Probed() {
    toy.options.max_epochs = 3;
    toy.module.during_step = [this](const std::string& stage, Batch& batch) {
      if (!sample.defined()) sample = batch[0].slice(0, 0, 1).clone();
      if (stage == "validate" || outputs.empty()) {
        const at::NoGradGuard no_grad;
        const double output = toy.module.forward(sample).item().toDouble();
        if (stage == "validate" && toy.trainer->current_epoch() + 1 == epoch) return;
        epoch = stage == "validate" ? toy.trainer->current_epoch() + 1 : 0;
        outputs.push_back(output);
      }
    };
  }

  Toy toy;
  at::Tensor sample;
  std::int64_t epoch = 0;
  std::vector<double> outputs;
};

}  // namespace

TEST_CASE("probe_batch logs how much the outputs for its samples changed in an epoch") {
  Probed run;
  run.toy.fit({shipped_plugin("probe_batch", R"({"samples": 1})")});
  const MetricDict& metrics = run.toy.trainer->callback_metrics();
  REQUIRE(run.outputs.size() == 4);
  CHECK(metrics.at("probe/output_norm") == Approx(std::abs(run.outputs[3])));
  CHECK(metrics.at("probe/change") ==
        Approx(std::abs(run.outputs[3] - run.outputs[2]) / std::abs(run.outputs[2])));
}

TEST_CASE("a training is the same with probe_batch as without it") {
  Toy with, without;
  with.fit({shipped_plugin("probe_batch")});
  without.fit({});
  CHECK(at::equal(with.module.weight, without.module.weight));
}

TEST_CASE("a resumed training has the probe of the one that began") {
  const TempDir directory;
  const std::string file = (directory / "a.ckpt").string();
  Probed whole;
  whole.toy.fit({shipped_plugin("probe_batch")});

  Toy first;
  first.options.max_epochs = 2;
  first.fit({shipped_plugin("probe_batch")});
  first.trainer->save_checkpoint(file);
  Toy second;
  second.options.max_epochs = 3;
  second.fit({shipped_plugin("probe_batch")}, {.ckpt_path = file});
  CHECK(second.trainer->callback_metrics().at("probe/change") ==
        whole.toy.trainer->callback_metrics().at("probe/change"));
}

TEST_CASE("probe_batch says so where batches have no such tensor") {
  const CapturedLog log;
  Toy toy;
  toy.fit({shipped_plugin("probe_batch", R"({"input": 7})")});
  CHECK_THAT(log.text(), Contains("batches have no tensor number 7"));
  CHECK(toy.trainer->callback_metrics().find("probe/change") == nullptr);
}

}  // namespace probe_batch_test
