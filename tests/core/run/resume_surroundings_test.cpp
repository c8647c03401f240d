// What stands around a training is the same after a resume: when data are loaded again, what is logged
// by something that is done again, and metrics of an epoch that stays cut short.
#include <fmt/format.h>

#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/checkpoint.h"
#include "grapnel/loggers/memory_logger.h"
#include "row_logger.h"
#include "temp_dir.h"
#include "toy.h"

namespace resume_surroundings_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

namespace {

// A logger that has the rows of the run before, as a file has them.
std::shared_ptr<MemoryLogger> logger_with(const std::vector<MemoryLogger::Row>& before) {
  auto logger = std::make_shared<MemoryLogger>();
  for (const MemoryLogger::Row& row : before) logger->log_metrics(row.metrics, row.step);
  return logger;
}

// Two epochs, logged at each step.
TrainerOptions logging_to(const std::shared_ptr<Logger>& logger) {
  TrainerOptions options = quiet(2);
  options.log_every_n_steps = 1;
  options.loggers = {logger};
  return options;
}

// Saves at the nth call of a hook, from 1, and ends the run there.
std::shared_ptr<Recorder> killer(const std::string& hook, int nth, const fs::path& file) {
  static Trace unused;
  auto recorder = std::make_shared<Recorder>(unused);
  recorder->script = [=, calls = 0](const std::string& now, Trainer& trainer) mutable {
    if (now != hook || trainer.sanity_checking() || ++calls != nth) return;
    trainer.save_checkpoint(file);
    throw std::runtime_error("killed");
  };
  return recorder;
}

// Its functions make the loaders, and note in which epoch.
class LoadingModule final : public ToyModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override {
    train_loads.push_back(trainer().current_epoch());
    return std::make_shared<ToyLoader>(3);
  }
  DataLoaders val_dataloaders() override {
    val_loads.push_back(trainer().current_epoch());
    return {std::make_shared<ToyLoader>(2)};
  }
  StepOutput validation_step(Batch& batch, int64_t, int64_t) override {
    const at::Tensor loss = loss_of(batch);
    log("val", loss, {.on_step = true, .on_epoch = false});
    return loss;
  }
  std::vector<int64_t> train_loads;
  std::vector<int64_t> val_loads;
};

// Logs at the end of each epoch.
class EndLogger final : public Callback {
 public:
  void on_train_epoch_end(Event& event) override { log(event, "of_callback", ++epochs_); }
  StateDict state_dict() const override { return {{"epochs", epochs_}}; }
  void load_state_dict(const StateDict& state) override { epochs_ = state.at("epochs").to_int(); }

 private:
  int64_t epochs_ = 0;
};
class EndLoggingModule final : public ToyModule {
 public:
  void on_train_epoch_end(Event& event) override {
    log("of_module", event.trainer.current_epoch() + 1);
  }
};

using Steps = std::vector<int64_t>;

}  // namespace

TEST_CASE(
    "data are loaded again in the same epochs after a resume, and steps are counted from there") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  TrainerOptions options = quiet(5);
  options.num_sanity_val_steps = 2;
  options.reload_dataloaders_every_n_epochs = 2;
  options.log_every_n_steps = 1;
  const auto steps = [](const RowLogger& rows) {
    Steps all;
    for (const RowLogger::Row& row : rows.rows) {
      if (row.name == "val") all.push_back(row.step);
    }
    return all;
  };
  Steps whole;
  {
    LoadingModule module;
    auto rows = std::make_shared<RowLogger>();
    options.loggers = {rows};
    Trainer(options).fit(module);
    CHECK(module.train_loads == Steps{0, 2, 4});
    CHECK(module.val_loads == Steps{0, 2, 4});
    whole = steps(*rows);
    CHECK(whole == Steps{0, 1, 2, 3, 0, 1, 2, 3, 0, 1});
  }
  for (const std::string hook : {"on_train_batch_end", "on_train_epoch_end"}) {
    INFO(hook);
    options.loggers.clear();
    LoadingModule killed;
    Trainer first(options, {killer(hook, hook == "on_train_batch_end" ? 4 : 2, file)});
    CHECK_THROWS_WITH(first.fit(killed), "killed");
    LoadingModule module;
    auto rows = std::make_shared<RowLogger>();
    options.loggers = {rows};
    Trainer(options).fit(module, Data(), {.ckpt_path = file.string()});
    CHECK(module.train_loads == Steps{1, 2, 4});
    CHECK(module.val_loads == Steps{1, 2, 4});
    const Steps rest = steps(*rows);
    CHECK(rest == Steps(whole.end() - static_cast<std::ptrdiff_t>(rest.size()), whole.end()));
  }
}

TEST_CASE("the data that a resumed run loads for its sanity check are those of its validation") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  TrainerOptions options = quiet(5);
  options.num_sanity_val_steps = 2;
  options.reload_dataloaders_every_n_epochs = 1;
  LoadingModule killed;
  Trainer first(options, {killer("on_train_epoch_start", 3, file)});
  CHECK_THROWS_WITH(first.fit(killed), "killed");
  CHECK(killed.val_loads == Steps{0, 1});
  LoadingModule module;
  Trainer(options).fit(module, Data(), {.ckpt_path = file.string()});
  CHECK(module.train_loads == Steps{2, 3, 4});
  CHECK(module.val_loads == Steps{2, 3, 4});
}

TEST_CASE("the sanity check of a resumed run is no reload of an epoch that has no validation") {
  const TempDir directory;
  TrainerOptions options = quiet(4);
  options.num_sanity_val_steps = 2;
  options.reload_dataloaders_every_n_epochs = 1;
  // Every epoch ends before its validation.
  const auto reloads = [&](const std::string& hook, int nth, const fs::path& from) {
    auto actor = killer(hook, nth, directory / "saved.ckpt");
    actor->script = [script = actor->script](const std::string& now, Trainer& trainer) {
      if (now == "on_train_batch_end") trainer.request(RequestKind::end_epoch, "enough of it");
      script(now, trainer);
    };
    LoadingModule module;
    Trainer trainer(options, {actor});
    try {
      trainer.fit(module, Data(), {.ckpt_path = from.string()});
    } catch (const std::runtime_error&) {
    }
    const StateDict all = trainer.dump_checkpoint();
    const StateDict& fit = all.at("loops").to_dict().at("fit_loop").to_dict();
    const StateDict& epochs = fit.at("reloads").to_dict();
    return Steps{epochs.at("train").to_int(), epochs.at("validation").to_int()};
  };
  const Steps whole = reloads("", 0, {});
  CHECK(whole == Steps{3, 0});
  for (const std::string hook :
       {"on_train_epoch_start", "on_train_batch_end", "on_train_epoch_end"}) {
    INFO(hook);
    reloads(hook, 3, {});
    CHECK(reloads("", 0, directory / "saved.ckpt") == whole);
  }
}

TEST_CASE("metrics keep the order in which they were first logged over a resume") {
  // "b" is logged at every second step, and an epoch has three.
  class Logging final : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t) override {
      const at::Tensor loss = loss_of(batch);
      const LogOptions per_epoch{.on_step = false, .on_epoch = true};
      log("a", loss, per_epoch);
      if (trainer().global_step() % 2 == 0) log("b", loss, per_epoch);
      log("c", loss, per_epoch);
      return loss;
    }
  };
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  const auto names = [&](const std::string& hook, int nth, const fs::path& from) {
    auto rows = std::make_shared<RowLogger>();
    Logging module;
    Trainer trainer(logging_to(rows), {killer(hook, nth, file)});
    try {
      trainer.fit(module, toy_data(3, 0), {.ckpt_path = from.string()});
    } catch (const std::runtime_error&) {
    }
    std::vector<std::string> all;
    for (const RowLogger::Row& row : rows->rows) {
      if (row.name != "epoch") all.push_back(row.name);
    }
    return all;
  };
  using Names = std::vector<std::string>;
  CHECK(names("", 0, {}) == Names{"a", "b", "c", "a", "b", "c"});
  names("on_train_epoch_start", 2, {});
  CHECK(names("", 0, file) == Names{"a", "b", "c"});
}

TEST_CASE("the metrics of an epoch that stays cut short are kept over a resume without steps") {
  const TempDir directory;
  const auto train = [&](int64_t max_steps, const fs::path& from, const fs::path& to,
                         const std::string& place = "on_fit_end") {
    TrainerOptions options = quiet(1);
    options.max_steps = max_steps;
    auto rows = std::make_shared<RowLogger>();
    options.loggers = {rows};
    static Trace unused;
    auto saver = std::make_shared<Recorder>(unused);
    saver->script = [&](const std::string& now, Trainer& trainer) {
      if (now == place && !to.empty()) trainer.save_checkpoint(to);
    };
    ToyModule module;
    module.train_loss_options = {.on_step = false, .on_epoch = true};
    Trainer trainer(options, {saver});
    trainer.fit(module, toy_data(6, 0), {.ckpt_path = from.string()});
    const std::vector<double> means = rows->values("train_loss");
    return means.empty() ? 0.0 : means.back();
  };
  const double whole = train(-1, {}, {});
  train(4, {}, directory / "cut.ckpt", "on_train_epoch_end");
  train(4, directory / "cut.ckpt", directory / "again.ckpt");
  CHECK(train(-1, directory / "again.ckpt", {}) == whole);
}

TEST_CASE("what was logged in on_train_epoch_end before a checkpoint in it is in the epoch's row") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  for (const int64_t max_steps : {-1, 5}) {
    const auto train = [&](int kill_at, bool resume) {
      TrainerOptions options = quiet(2);
      options.max_steps = max_steps;
      options.num_sanity_val_steps = 2;
      auto rows = std::make_shared<RowLogger>("of_");
      options.loggers = {rows};
      std::vector<CallbackHandle> callbacks{std::make_shared<EndLogger>()};
      if (kill_at > 0) callbacks.emplace_back(killer("on_train_epoch_end", kill_at, file));
      EndLoggingModule module;
      Trainer trainer(options, callbacks);
      try {
        trainer.fit(module, toy_data(3, 1), {.ckpt_path = resume ? file.string() : ""});
      } catch (const std::runtime_error&) {
      }
      std::vector<std::string> lines;
      for (const RowLogger::Row& row : rows->rows) {
        lines.push_back(fmt::format("{} {} {}", row.step, row.name, row.value));
      }
      return lines;
    };
    const auto whole = train(0, false);
    CHECK(whole.size() == 4);
    for (const int kill_at : {1, 2}) {
      INFO("max_steps " << max_steps << ", killed in epoch " << kill_at - 1);
      const auto before = train(kill_at, false);
      auto both = before;
      for (const std::string& line : train(0, true)) both.push_back(line);
      CHECK(both == whole);
    }
  }
}

TEST_CASE("rows of a validation that failed are dropped when it is done again") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  using Rows = std::vector<std::string>;
  const auto train = [&](int fail_at, std::vector<MemoryLogger::Row> before, bool resume) {
    auto logger = logger_with(before);
    TrainerOptions options = logging_to(logger);
    static Trace unused;
    auto logging = std::make_shared<Recorder>(unused);
    int calls = 0;
    logging->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_exception") trainer.save_checkpoint(file);
      if (now != "on_validation_batch_end" || trainer.sanity_checking()) return;
      if (++calls == fail_at) throw std::runtime_error("failed");
      trainer.log_metrics({{"seen", trainer.state().val_batch.total.ready}});
    };
    ToyModule module;
    Trainer trainer(options, {logging});
    try {
      trainer.fit(module, toy_data(3, 3), {.ckpt_path = resume ? file.string() : ""});
    } catch (const std::runtime_error&) {
    }
    return logger->rows();
  };
  const auto shown = [](const std::vector<MemoryLogger::Row>& rows) {
    Rows lines;
    for (const MemoryLogger::Row& row : rows) {
      for (const auto& [name, value] : row.metrics) {
        lines.push_back(fmt::format("{} {} {:.9g}", row.step, name, value));
      }
    }
    return lines;
  };
  const Rows whole = shown(train(0, {}, false));
  for (const int fail_at : {1, 2, 3, 5}) {
    INFO("failed in validation batch " << fail_at);
    const auto before = train(fail_at, {}, false);
    CHECK(shown(train(0, before, true)) == whole);
  }
}

TEST_CASE("a batch that failed is done again with the same random numbers, metrics and rows") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  struct Result {
    at::Tensor weight;
    std::vector<MemoryLogger::Row> rows;
    int64_t cleared = 0;  // how often the gradients were, for good
  };
  const auto train = [&](const std::string& fail_in, int nth,
                         const std::vector<MemoryLogger::Row>& before, bool resume) {
    auto logger = logger_with(before);
    TrainerOptions options = logging_to(logger);
    static Trace unused;
    auto failing = std::make_shared<Recorder>(unused);
    int calls = 0;
    failing->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_train_batch_start") {
        trainer.log_metrics({{"begun", static_cast<double>(trainer.global_step())}});
      }
      if (now == "on_exception") trainer.save_checkpoint(file);
      if (now == fail_in && ++calls == nth) throw std::runtime_error("failed");
    };
    ToyModule module;
    module.dropout = 0.5;
    module.train_loss_options = {.on_step = true, .on_epoch = true};
    at::manual_seed(resume ? 99 : 7);
    Trainer trainer(options, {failing});
    try {
      trainer.fit(module, toy_data(4, 1), {.ckpt_path = resume ? file.string() : ""});
    } catch (const std::runtime_error&) {
    }
    return Result{module.weight.detach().clone(), logger->rows(),
                  trainer.state().zero_grad.total.completed};
  };
  const auto shown = [](const Result& result) {
    std::vector<std::string> lines;
    for (const MemoryLogger::Row& row : result.rows) {
      for (const auto& [name, value] : row.metrics) {
        lines.push_back(fmt::format("{} {} {:.9g}", row.step, name, value));
      }
    }
    return lines;
  };
  const Result whole = train("", 0, {}, false);
  for (const std::string hook :
       {"on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward",
        "on_before_optimizer_step"}) {
    for (const int nth : {1, 2, 5, 8}) {
      INFO(hook << ", batch " << nth);
      const Result failed = train(hook, nth, {}, false);
      const Result rest = train("", 0, failed.rows, true);
      CHECK(at::equal(rest.weight, whole.weight));
      CHECK(shown(rest) == shown(whole));
      CHECK(rest.cleared == whole.cleared);
    }
  }
}

}  // namespace resume_surroundings_test
