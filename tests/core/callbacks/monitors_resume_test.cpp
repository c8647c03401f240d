// Callbacks that log: a resumed run has the rows of one that was never stopped. And what those that
// are disabled leave behind.
#include "../support/resumed.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "grapnel/callbacks/activation_monitor.h"
#include "grapnel/callbacks/backbone_finetuning.h"
#include "grapnel/callbacks/learning_rate_monitor.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/callbacks/throughput_monitor.h"
#include "grapnel/callbacks/weight_averaging.h"
#include "grapnel/loggers/memory_logger.h"

namespace monitors_resume_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

using Rows = std::vector<MemoryLogger::Row>;

// Those of a name's prefix, as text.
std::vector<std::string> shown(const Rows& rows, const std::string& prefix) {
  std::vector<std::string> lines;
  for (const MemoryLogger::Row& row : rows) {
    for (const auto& [name, value] : row.metrics) {
      if (!name.starts_with(prefix)) continue;
      lines.push_back(std::to_string(row.step) + " " + name + "=" + std::to_string(value));
    }
  }
  return lines;
}

// With skips, the third batch of every epoch has no loss, and computes nothing.
class WithoutLoss final : public BackboneModule {
 public:
  explicit WithoutLoss(bool skips) : skips_(skips) {}
  StepOutput training_step(Batch& batch, int64_t batch_idx) override {
    if (skips_ && batch_idx == 2) return std::nullopt;
    return BackboneModule::training_step(batch, batch_idx);
  }

 private:
  bool skips_;
};

struct Logged {
  std::function<CallbackHandle()> monitor;
  int64_t accumulate = 1;
  bool fails_first = false;  // the run fails before the monitor has the call; saved in on_exception
  bool without_loss = false;  // see WithoutLoss

  // killed: at the nth call of a hook a checkpoint is written, and the run ends. from: resumed.
  Rows train(const std::filesystem::path& file, const std::string& hook, int nth, Rows before,
             bool resume) const {
    auto logger = std::make_shared<MemoryLogger>();
    for (const MemoryLogger::Row& row : before) logger->log_metrics(row.metrics, row.step);
    ManualClock clock;
    TrainerOptions options = quiet(3);
    options.clock = &clock;
    options.log_every_n_steps = 1;
    options.accumulate_grad_batches = accumulate;
    options.loggers = {logger};
    Trace trace;
    auto killer = std::make_shared<Recorder>(trace);
    int calls = 0;
    killer->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_train_batch_start") clock.advance(1);
      if (now == "on_exception" && fails_first) trainer.save_checkpoint(file);
      if (now != hook || ++calls != nth) return;
      if (!fails_first) trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    std::vector<CallbackHandle> callbacks{monitor(), killer};
    if (fails_first) std::swap(callbacks[0], callbacks[1]);
    WithoutLoss module(without_loss);
    Trainer trainer(options, callbacks);
    try {
      trainer.fit(module, toy_data(5, 1), {.ckpt_path = resume ? file.string() : ""});
    } catch (const std::runtime_error& error) {
      if (error.what() != std::string("killed")) throw;
    }
    return logger->rows();
  }

  void check(const std::string& prefix) const {
    const std::vector<std::string> whole = shown(train({}, "", 0, {}, false), prefix);
    REQUIRE(whole.size() >= 3);
    for (const auto& [hook, nth] :
         std::vector<std::pair<std::string, int>>{{"on_train_batch_end", 1},
                                                  {"on_train_batch_end", 2},
                                                  {"on_train_batch_end", 3},
                                                  {"on_train_batch_end", 8},
                                                  {"on_train_epoch_start", 2},
                                                  {"on_train_epoch_end", 1},
                                                  {"on_validation_end", 2}}) {
      INFO(hook << " " << nth);
      const TempDir directory;
      const auto file = directory / "killed.ckpt";
      const Rows before = train(file, hook, nth, {}, false);
      CHECK(shown(train(file, "", 0, before, true), prefix) == whole);
    }
  }
};

template <class T>
CallbackHandle disabling(std::shared_ptr<T> callback) {
  CallbackHandle handle(std::move(callback));
  handle.on_error = OnError::disable;
  return handle;
}

}  // namespace

TEST_CASE("ActivationMonitor of a resumed run loses no row, also within a window of accumulation") {
  for (const int64_t accumulate : {1, 2, 3}) {
    INFO("accumulate " << accumulate);
    Logged{.monitor = [] { return std::make_shared<ActivationMonitor>(); },
           .accumulate = accumulate}
        .check("activation/");
  }
}

TEST_CASE("ActivationMonitor loses no row of a window whose first batch has no loss") {
  for (const bool fails_first : {false, true}) {
    INFO("fails first " << fails_first);
    Logged{.monitor = [] { return std::make_shared<ActivationMonitor>(); },
           .accumulate = 2,
           .fails_first = fails_first,
           .without_loss = true}
        .check("activation/");
  }
}

TEST_CASE("ActivationMonitor loses no row when a callback before it fails in on_train_batch_end") {
  for (const int64_t accumulate : {1, 2}) {
    INFO("accumulate " << accumulate);
    Logged{.monitor = [] { return std::make_shared<ActivationMonitor>(); },
           .accumulate = accumulate,
           .fails_first = true}
        .check("activation/");
  }
}

TEST_CASE("ThroughputMonitor of a resumed run counts on") {
  const Logged logged{.monitor = [] {
    return std::make_shared<ThroughputMonitor>(ThroughputMonitorOptions{.window_size = 100});
  }};
  logged.check("train/batches");
  logged.check("train/samples");
}

TEST_CASE("LearningRateMonitor of a resumed run logs an epoch's rates once") {
  Logged{.monitor = [] {
    return std::make_shared<LearningRateMonitor>(
        LearningRateMonitorOptions{.logging_interval = Interval::epoch});
  }}.check("lr-");
}

TEST_CASE(
    "a WeightAveraging that is disabled while its average is validated gives the weights back") {
  class Watching final : public Callback {
   public:
    void on_train_batch_end(TrainBatchEnd& event) override {
      if (event.trainer.current_epoch() > 0) return;
      trained = event.module.state_view().find("weight")->tensor.detach().clone();
    }
    void on_validation_end(Event& event) override {
      if (event.trainer.current_epoch() > 0) return;
      after = event.module.state_view().find("weight")->tensor.detach().clone();
    }
    at::Tensor trained, after;
  };
  class Failing final : public WeightAveraging {
   public:
    void on_validation_epoch_end(Event&) override { throw std::runtime_error("scripted"); }
  };
  auto watching = std::make_shared<Watching>();
  ToyModule module;
  Trainer trainer(quiet(2), {disabling(std::make_shared<Failing>()), watching});
  trainer.fit(module, toy_data(3, 1));
  CHECK(at::equal(watching->trained, watching->after));
}

TEST_CASE("a ModelPruning that is disabled while the model computes gives the dense weights back") {
  class Failing final : public ModelPruning {
   public:
    using ModelPruning::ModelPruning;
    void on_after_backward(Event& event) override {
      if (event.trainer.current_epoch() == 1) {
        masked = (event.module.state_view().find("weight")->tensor == 0).sum().item<int64_t>();
        throw std::runtime_error("scripted");
      }
      ModelPruning::on_after_backward(event);
    }
    int64_t masked = 0;
  };
  ModelPruningOptions options{.amount = int64_t{2}};
  options.parameters_to_prune = {"weight"};
  options.use_lottery_ticket_hypothesis = false;
  auto failing = std::make_shared<Failing>("l1_unstructured", options);
  ToyModule module;
  Trainer trainer(quiet(3), {disabling(failing)});
  trainer.fit(module, toy_data(3, 1));
  CHECK(failing->masked == 2);
  CHECK((module.weight == 0).sum().item<int64_t>() == 0);
}

TEST_CASE("a finetuning that is disabled within a step gives the statistics back") {
  class Failing final : public BaseFinetuning {
   public:
    void freeze_before_training(Module& module) override { freeze(module, {"backbone"}, false); }
    void finetune(Module&, int64_t, Optimizer&, int64_t) override {}
    void on_after_optimizer_step(OptimizerEvent&) override { throw std::runtime_error("scripted"); }
    void on_train_batch_start(TrainBatchStart& event) override {
      BaseFinetuning::on_train_batch_start(event);
    }
  };
  BackboneModule module;
  const at::Tensor before = module.net().backbone->norm->running_mean.clone();
  class Watching final : public Callback {
   public:
    void on_train_batch_end(TrainBatchEnd& event) override {
      if (seen.defined()) return;
      for (const StateEntry& entry : event.module.state_view().entries()) {
        if (entry.name.ends_with("running_mean")) seen = entry.tensor.detach().clone();
      }
    }
    at::Tensor seen;
  };
  auto watching = std::make_shared<Watching>();
  Trainer trainer(quiet(1), {disabling(std::make_shared<Failing>()), watching});
  trainer.fit(module, toy_data(3, 1));
  CHECK(at::equal(watching->seen, before));  // not the copy that the step had changed
}

}  // namespace monitors_resume_test
