// A checkpoint that is refused leaves no trace in what had loaded a part of it before: the trainer
// and all of the user's objects are as they were, and a fit without it is one that never saw it.
#include <fmt/format.h>

#include "../support/recorder.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/checkpoint.h"
#include "grapnel/fabric.h"
#include "temp_dir.h"
#include "toy.h"

namespace refused_resume_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// A state of one number, empty until there is one; refuses a state when it is told to.
struct Counted {
  StateDict state_dict() const { return count == 0 ? StateDict() : StateDict{{"count", count}}; }
  void load(const StateDict& state, const char* who) {
    ++loads;
    if (refuses) throw CheckpointError({}, fmt::format("{}: not this one", who));
    count = state.empty() ? 0 : state.at("count").to_int();
  }
  int64_t count = 0;
  int loads = 0;
  bool refuses = false;
};

class CountingCallback : public Callback {
 public:
  explicit CountingCallback(std::string name) { set_name(std::move(name)); }
  void on_train_batch_end(TrainBatchEnd&) override { ++own.count; }
  StateDict state_dict() const override { return own.state_dict(); }
  void load_state_dict(const StateDict& state) override { own.load(state, "callback"); }
  bool gives_back_state() const override { return gives_back; }
  Counted own;
  bool gives_back = true;
};

class CountingData : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override {
    ++own.count;
    return std::make_shared<ToyLoader>(3);
  }
  StateDict state_dict() const override { return own.state_dict(); }
  void load_state_dict(const StateDict& state) override { own.load(state, "data"); }
  bool gives_back_state() const override { return gives_back; }
  Counted own;
  bool gives_back = true;
};

class CountingLogger : public Logger {
 public:
  std::string name() const override { return "counting"; }
  std::string version() const override { return ""; }
  void log_metrics(const Metrics&, int64_t) override { ++own.count; }
  StateDict state_dict() const override { return own.state_dict(); }
  void load_state_dict(const StateDict& state) override { own.load(state, "logger"); }
  Counted own;
};

class ChosenModule : public ToyModule {
 public:
  OptimizerConfig configure_optimizers() override {
    if (adam) return ToyModule::configure_optimizers();
    return std::make_shared<SGD>(std::vector<at::Tensor>{weight, bias}, SGDOptions{.lr = 0.05});
  }
  bool adam = true;
};

struct Training {
  explicit Training(std::vector<CallbackHandle> more = {}) {
    options.loggers = {first_logger, second_logger};
    options.log_every_n_steps = 1;
    options.seed = 5;
    std::vector<CallbackHandle> callbacks{first, second};
    for (CallbackHandle& each : more) callbacks.push_back(std::move(each));
    trainer = std::make_unique<Trainer>(options, std::move(callbacks));
  }

  std::string fit(const std::filesystem::path& checkpoint = {}) {
    try {
      trainer->fit(module, data, {.ckpt_path = checkpoint.string()});
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }
  std::vector<Counted*> all() {
    return {&first->own, &second->own, &data.own, &first_logger->own, &second_logger->own};
  }
  std::vector<int64_t> counts() {
    std::vector<int64_t> counts;
    for (const Counted* each : all()) counts.push_back(each->count);
    return counts;
  }

  std::shared_ptr<CountingCallback> first = std::make_shared<CountingCallback>("first");
  std::shared_ptr<CountingCallback> second = std::make_shared<CountingCallback>("second");
  std::shared_ptr<CountingLogger> first_logger = std::make_shared<CountingLogger>();
  std::shared_ptr<CountingLogger> second_logger = std::make_shared<CountingLogger>();
  CountingData data;
  ChosenModule module;
  TrainerOptions options = quiet(2);
  std::unique_ptr<Trainer> trainer;
};

using Change = std::function<void(Training&)>;

// Refused for some reason, by a trainer that has trained before, or not.
void check_refused(const std::filesystem::path& file, const Change& change, const Change& undo,
                   const std::string& expected, std::vector<CallbackHandle> more = {}) {
  for (const bool trained_before : {false, true}) {
    INFO(expected << (trained_before ? ", after a fit" : ""));
    Training training(more);
    Training other(more);
    if (trained_before) {
      CHECK(training.fit() == "");
      CHECK(other.fit() == "");
      training.trainer->set_max_epochs(4);
      other.trainer->set_max_epochs(4);
    }
    const std::vector<int64_t> before = training.counts();
    const at::Tensor weight = training.module.weight.detach().clone();
    const int64_t step = training.trainer->global_step();
    change(training);
    const std::string error = training.fit(file);
    CHECK_THAT(error, Contains(expected) && Contains(file.string()));
    CHECK(training.counts() == before);
    CHECK(at::equal(training.module.weight, weight));
    CHECK(training.trainer->global_step() == step);
    CHECK_FALSE(training.trainer->should_stop());

    undo(training);
    CHECK(training.fit() == "");
    CHECK(other.fit() == "");
    CHECK(training.counts() == other.counts());
    CHECK(at::equal(training.module.weight, other.module.weight));
    CHECK(training.trainer->global_step() == other.trainer->global_step());
    CHECK(training.trainer->current_epoch() == other.trainer->current_epoch());
  }
}

void write_checkpoint(const std::filesystem::path& file,
                      const std::function<void(StateDict&)>& change = {}) {
  Training training;
  CHECK(training.fit() == "");
  StateDict checkpoint = training.trainer->dump_checkpoint();
  if (change) change(checkpoint);
  save_checkpoint_file(file, checkpoint);
}

void nothing(Training&) {}

}  // namespace

TEST_CASE("a checkpoint that another optimizer refuses leaves no state behind") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  write_checkpoint(file);
  check_refused(
      file, [](Training& training) { training.module.adam = false; },
      [](Training& training) { training.module.adam = true; }, "written by Adam");
}

TEST_CASE("a state that one refuses is taken back from those that had loaded theirs") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  write_checkpoint(file);
  for (const size_t who : {0U, 1U, 2U, 3U, 4U}) {
    INFO("refused by " << who);
    check_refused(
        file, [&](Training& training) { training.all()[who]->refuses = true; },
        [&](Training& training) { training.all()[who]->refuses = false; }, "not this one");
  }
}

TEST_CASE("a callback that refuses a checkpoint in on_fit_start takes all states back") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  write_checkpoint(file);
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_fit_start" && !trainer.ckpt_path().empty()) {
      throw CheckpointError({}, "not here");
    }
  };
  check_refused(file, nothing, nothing, "not here", {recorder});
}

TEST_CASE("counters and values that don't fit are refused with their place") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  const auto change_to = [&](const std::function<void(StateDict&)>& change) {
    write_checkpoint(file, change);
  };
  const auto fit_loop = [](StateDict& checkpoint) -> StateDict& {
    return checkpoint.at("loops").to_dict().at("fit_loop").to_dict();
  };
  const auto exact = [](StateDict& checkpoint) -> StateDict& {
    return checkpoint.at("exact_resume").to_dict();
  };
  const std::vector<std::pair<std::string, std::function<void(StateDict&)>>> changes = {
      {"loops.fit_loop.epoch_progress",
       [&](StateDict& checkpoint) {
         fit_loop(checkpoint).at("epoch_progress").to_dict().at("current").to_dict()["ready"] = 9;
       }},
      {"loops.fit_loop.validation_schedule",
       [&](StateDict& checkpoint) {
         fit_loop(checkpoint).at("validation_schedule").to_dict()["batches_since"] = "x";
       }},
      {"loops.fit_loop.requests",
       [&](StateDict& checkpoint) { fit_loop(checkpoint)["requests"] = 3; }},
      {"exact_resume.data.batches",
       [&](StateDict& checkpoint) { exact(checkpoint).at("data").to_dict()["batches"] = "many"; }},
      {"exact_resume.data: accumulate_grad_batches",
       [&](StateDict& checkpoint) {
         exact(checkpoint).at("data").to_dict()["accumulate_grad_batches"] = 0;
       }},
      {"exact_resume.loggers", [&](StateDict& checkpoint) { exact(checkpoint)["loggers"] = 1; }},
      {"callbacks.second.count",
       [&](StateDict& checkpoint) {
         checkpoint.at("callbacks").to_dict().at("second").to_dict()["count"] = "many";
       }},
      {"optimizer_states.0.groups",
       [&](StateDict& checkpoint) {
         checkpoint.at("optimizer_states").to_list()[0].to_dict()["groups"] = "none";
       }},
      {"rng", [&](StateDict& checkpoint) { checkpoint["rng"] = 1; }},
  };
  for (const auto& [key, change] : changes) {
    change_to(change);
    check_refused(file, nothing, nothing, key);
  }
}

TEST_CASE("a checkpoint of more epochs than max_epochs is refused without a trace") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  write_checkpoint(file);
  int64_t before = 0;
  check_refused(
      file,
      [&](Training& training) {
        before = training.trainer->state().max_epochs;
        training.trainer->set_max_epochs(1);
      },
      [&](Training& training) { training.trainer->set_max_epochs(before < 0 ? 2 : before); },
      "max_epochs=1");
}

TEST_CASE("a model of another shape loads nothing") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  write_checkpoint(file, [](StateDict& checkpoint) {
    checkpoint.at("state_dict").to_dict()["weight"] = at::zeros({4, 1});
  });
  check_refused(file, nothing, nothing, "weight");
  Training training;
  training.fit(file);
  for (const Counted* each : training.all()) CHECK(each->loads == 0);
}

TEST_CASE("a refused checkpoint with masks leaves the model unpruned") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  const auto pruning = [] {
    ModelPruningOptions options;
    options.parameters_to_prune = {"weight"};
    options.use_global_unstructured = false;
    return std::make_shared<ModelPruning>("l1_unstructured", options);
  };
  {
    ChosenModule module;
    Trainer trainer(quiet(2), {pruning()});
    trainer.fit(module, toy_data());
    trainer.save_checkpoint(file);
  }
  ChosenModule module;
  module.adam = false;
  const at::Tensor before = module.weight.detach().clone();
  Trainer trainer(quiet(4), {pruning()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(), {.ckpt_path = file.string()}),
                    Contains("written by Adam"));
  for (const StateEntry& entry : module.state_view().entries()) CHECK_FALSE(entry.mask.defined());
  CHECK(at::equal(module.weight, before));
  module.adam = true;
  trainer.fit(module, toy_data());

  ChosenModule fresh;
  Trainer other(quiet(4), {pruning()});
  other.fit(fresh, toy_data());
  CHECK(at::equal(module.weight, fresh.weight));
}

TEST_CASE("a callback that can't take its state back is told of, and the others are put back") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  write_checkpoint(file);
  class Stubborn : public CountingCallback {
   public:
    using CountingCallback::CountingCallback;
    void load_state_dict(const StateDict& state) override {
      if (own.loads > 0) throw std::runtime_error("I keep what I have");
      CountingCallback::load_state_dict(state);
    }
  };
  write_checkpoint(file, [](StateDict& checkpoint) {
    checkpoint.at("callbacks").to_dict()["stubborn"] = StateDict{{"count", 4}};
  });
  Training training({std::make_shared<Stubborn>("stubborn")});
  training.module.adam = false;
  const CapturedLog log;
  CHECK_THAT(training.fit(file), Contains("written by Adam"));
  CHECK(training.counts() == std::vector<int64_t>{0, 0, 0, 0, 0});
  CHECK(log.count("I keep what I have") == 1);
}

TEST_CASE("who doesn't give its state back is asked in a trainer that has trained, else named") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  write_checkpoint(file);
  for (const bool trained_before : {false, true}) {
    INFO((trained_before ? "after a fit" : "first"));
    Training training;
    training.first->gives_back = training.data.gives_back = false;
    if (trained_before) CHECK(training.fit() == "");
    const std::vector<int64_t> before = training.counts();
    training.trainer->set_max_epochs(4);
    training.module.adam = false;
    const CapturedLog log;
    CHECK_THAT(training.fit(file), Contains("written by Adam"));
    if (trained_before) {
      CHECK(training.counts() == before);
      CHECK(log.count("keeps the state") == 0);
    } else {
      CHECK(training.counts() == std::vector<int64_t>{6, 0, 1, 0, 0});
      CHECK(log.count("first keeps the state of the checkpoint that was refused") == 1);
      CHECK(log.count("CountingData keeps the state of the checkpoint that was refused") == 1);
    }
  }
}

TEST_CASE("what Fabric::load had restored is put back when a callback refuses its state") {
  const TempDir directory;
  const auto file = directory / "loop.ckpt";
  const auto first = std::make_shared<CountingCallback>("first");
  const auto second = std::make_shared<CountingCallback>("second");
  ToyModule module;
  Fabric fabric({.callbacks = {first, second}});
  first->own.count = second->own.count = 4;
  fabric.save(file, {{"net", module}});
  first->own.count = 0;  // its state is empty
  second->own.refuses = true;
  module.weight.detach().fill_(3);
  CHECK_THROWS_WITH(fabric.load(file, {{"net", module}}), Contains("not this one"));
  CHECK(first->own.count == 0);
  CHECK(second->own.count == 4);
  CHECK(module.weight.eq(3).all().item<bool>());
}

TEST_CASE("a callback under OnError::disable that refuses is disabled, and the fit resumes") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  write_checkpoint(file, [](StateDict& checkpoint) {
    checkpoint.at("callbacks").to_dict()["third"] = StateDict{{"count", 4}};
  });
  const auto third = std::make_shared<CountingCallback>("third");
  third->own.refuses = true;
  CallbackHandle handle(third);
  handle.on_error = OnError::disable;
  Training training({handle});
  training.trainer->set_max_epochs(3);
  CHECK(training.fit(file) == "");
  CHECK(training.first->own.count == 9);
}

}  // namespace refused_resume_test
