// Extension timing: the phases of a fit, by a clock of the test's own.
#include <grapnel/ext/timing.h>

#include <array>
#include <map>
#include <optional>

#include <grapnel/base/clock.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace timing_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

struct SlowLoader final : ToyLoader {
  SlowLoader(ManualClock& clock, double seconds, std::int64_t batches)
      : ToyLoader(batches), clock_(clock), seconds_(seconds) {}
  std::optional<Batch> next() override {
    std::optional<Batch> batch = ToyLoader::next();
    if (batch) clock_.advance(seconds_);
    return batch;
  }

 private:
  ManualClock& clock_;
  double seconds_;
};

struct SlowModule final : ToyModule {
  explicit SlowModule(ManualClock& clock) : clock_(clock) {
    during_step = [this](const std::string& stage, Batch&) {
      clock_.advance(stage == "train" ? 4 : 100);
    };
  }
  void backward(const at::Tensor& loss) override {
    clock_.advance(8);
    ToyModule::backward(loss);
  }
  void configure_gradient_clipping(Optimizer&, std::optional<double>,
                                   std::optional<ClipAlgorithm>) override {
    clock_.advance(16);
  }

 private:
  ManualClock& clock_;
};

const grapnel_timing& timing(const Caller& caller) {
  return caller.table<grapnel_timing>(GRAPNEL_EXT_TIMING);
}

std::map<int, double> phases(const Caller& caller) {
  std::map<int, double> seconds;
  for (std::int32_t i = GRAPNEL_PHASE_OTHER; i <= GRAPNEL_PHASE_VALIDATION; ++i) {
    CHECK(timing(caller).phase(caller.host, i, &seconds[i]) == GRAPNEL_OK);
  }
  return seconds;
}

struct Slow {
  ManualClock clock;
  SlowModule module{clock};
  void fit(std::vector<CallbackHandle> callbacks, std::int64_t num_sanity_val_steps = 0) {
    TrainerOptions options = quiet(1);
    options.num_sanity_val_steps = num_sanity_val_steps;
    options.clock = &clock;
    Trainer(options, std::move(callbacks))
        .fit(module, Data(std::make_shared<SlowLoader>(clock, 2, 3),
                          DataLoaders{std::make_shared<SlowLoader>(clock, 50, 1)}));
  }
};

}  // namespace

TEST_CASE("phases exclude each other and add up to the total") {
  Slow slow;
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    double seconds = 0;
    CHECK(timing(caller).phase(caller.host, 0, &seconds) == GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  };
  plugin.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event*) {
    slow.clock.advance(32);
    return GRAPNEL_OK;
  });
  bool looked = false;
  plugin.on(Hook::on_train_end, [&](const Caller& caller, const grapnel_Event*) {
    looked = true;
    const std::map<int, double> seconds = phases(caller);
    CHECK(seconds.at(GRAPNEL_PHASE_DATA_WAIT) == 6);
    CHECK(seconds.at(GRAPNEL_PHASE_TRANSFER) == 0);
    CHECK(seconds.at(GRAPNEL_PHASE_FORWARD) == 12);
    CHECK(seconds.at(GRAPNEL_PHASE_BACKWARD) == 24);
    CHECK(seconds.at(GRAPNEL_PHASE_OPTIMIZER) == 48);
    CHECK(seconds.at(GRAPNEL_PHASE_VALIDATION) == 150);
    CHECK(seconds.at(GRAPNEL_PHASE_OTHER) == 96);
    double total = 0, hooks = 0, rate = 0;
    CHECK(timing(caller).total(caller.host, &total, &hooks) == GRAPNEL_OK);
    CHECK(total == 336);
    CHECK(hooks == 96);
    std::int64_t batches = 0, samples = 0;
    CHECK(timing(caller).count(caller.host, &batches, &samples) == GRAPNEL_OK);
    CHECK(batches == 3);
    CHECK(samples == 6);
    CHECK(timing(caller).samples_per_second(caller.host, &rate) == GRAPNEL_OK);
    CHECK(rate == 6.0 / 186);
    CHECK(timing(caller).phase(caller.host, 7, &total) == GRAPNEL_UNSUPPORTED);
    CHECK(timing(caller).phase(caller.host, 0, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    return GRAPNEL_OK;
  });
  slow.fit({plugin.handle()});
  CHECK(looked);
}

TEST_CASE("the sanity check is validation, not training") {
  Slow slow;
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    timing(caller);  // measured from the start on
    return GRAPNEL_OK;
  };
  std::map<int, double> at_start;
  plugin.on(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    at_start = phases(caller);
    return GRAPNEL_OK;
  });
  slow.fit({plugin.handle()}, /*num_sanity_val_steps=*/1);
  CHECK(at_start.at(GRAPNEL_PHASE_VALIDATION) == 150);
  CHECK(at_start.at(GRAPNEL_PHASE_OTHER) == 0);
}

TEST_CASE("who asks late is told of the time since then, and outside of a fit there is none") {
  Slow slow;
  InProcessPlugin plugin;
  std::map<int, double> last;
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event* event) {
    if (reinterpret_cast<const grapnel_TrainBatchStart*>(event)->batch_idx == 1) {
      last = phases(caller);
      CHECK(last.at(GRAPNEL_PHASE_FORWARD) == 0);
    }
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_train_end, [&](const Caller& caller, const grapnel_Event*) {
    last = phases(caller);
    return GRAPNEL_OK;
  });
  slow.fit({plugin.handle()});
  CHECK(last.at(GRAPNEL_PHASE_FORWARD) == 8);
  CHECK(last.at(GRAPNEL_PHASE_DATA_WAIT) == 2);

  InProcessPlugin outside;
  outside.on(Hook::on_validation_start, [](const Caller& caller, const grapnel_Event*) {
    double seconds = -1;
    CHECK(timing(caller).phase(caller.host, GRAPNEL_PHASE_FORWARD, &seconds) == GRAPNEL_NOT_FOUND);
    CHECK(seconds == -1);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.validate({outside.handle()});
}

}  // namespace timing_test
