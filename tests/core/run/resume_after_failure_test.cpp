// After a signal or a failure the rest of the run is logged and validated where it would have been.
#include <fmt/format.h>

#include "../support/traced_run.h"
#include "catch.h"
#include "row_logger.h"
#include "temp_dir.h"

namespace resume_after_failure_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("after a signal within an epoch the rest is logged at the same steps") {
  const TempDir directory;
  const auto file = directory / "interrupted.ckpt";
  using Rows = std::vector<std::string>;
  const auto train = [&](const std::string& checkpoint, int interrupt_at) {
    TracedSetup setup{.options = quiet(2), .batches = 10};
    auto logger = std::make_shared<RowLogger>();
    setup.options.loggers = {logger};
    setup.options.log_every_n_steps = 3;
    auto actor = actor_at("on_train_batch_end", interrupt_at,
                          [](Trainer& trainer) { trainer.interrupt(15); });
    actor->script = [&, script = actor->script](const std::string& now, Trainer& trainer) {
      if (now == "on_exception") trainer.save_checkpoint(file);
      script(now, trainer);
    };
    TracedRun run;
    run.fit(setup, actor, checkpoint);
    Rows rows;
    for (const auto& row : logger->rows) {
      rows.push_back(fmt::format("{} {} {:.9g}", row.step, row.name, row.value));
    }
    return rows;
  };
  const Rows whole = train("", 0);
  const Rows first = train("", 4);
  const Rows rest = train(file.string(), 0);
  Rows both = first;
  both.insert(both.end(), rest.begin(), rest.end());
  CHECK(both == whole);
}

TEST_CASE("a batch that failed and is done again counts once for validations over epochs") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  const auto validations = [&](const std::string& checkpoint, const std::string& hook) {
    TracedSetup setup{.options = quiet(3), .batches = 10};
    setup.options.check_val_every_n_epoch = std::nullopt;
    setup.options.val_check_interval = 4;
    std::vector<std::string> places;
    int batches = 0;
    auto actor = actor_at("", 0, {});
    actor->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_validation_start") {
        places.push_back(
            fmt::format("{}/{}", trainer.current_epoch(), trainer.state().batch.current.ready));
      }
      if (now == "on_exception") trainer.save_checkpoint(file);
      if (now == hook && ++batches == 5) throw std::runtime_error("failed");
    };
    TracedRun run;
    run.fit(setup, actor, checkpoint);
    return places;
  };
  const auto whole = validations("", "");
  CHECK(whole == std::vector<std::string>{"0/4", "0/8", "1/2", "1/6", "1/10", "2/4", "2/8"});
  for (const std::string hook : {"on_train_batch_start", "on_before_backward"}) {
    INFO(hook);
    auto both = validations("", hook);
    for (const std::string& place : validations(file.string(), "")) both.push_back(place);
    CHECK(both == whole);
  }
}

TEST_CASE("a second fit after a failed one validates as a first one does") {
  TracedSetup setup{.options = quiet(3), .batches = 10};
  setup.options.check_val_every_n_epoch = std::nullopt;
  setup.options.val_check_interval = 4;
  std::vector<std::string> places;
  auto actor =
      actor_at("on_train_batch_start", 6, [](Trainer&) { throw std::runtime_error("failed"); });
  actor->script = [&, script = actor->script](const std::string& now, Trainer& trainer) {
    if (now == "on_validation_start") {
      places.push_back(
          fmt::format("{}/{}", trainer.current_epoch(), trainer.state().batch.current.ready));
    }
    script(now, trainer);
  };
  TracedModule module;
  Trainer trainer(setup.options, {actor});
  CHECK_THROWS(trainer.fit(module, toy_data(10, 2)));
  places.clear();
  trainer.fit(module, toy_data(10, 2));
  CHECK(places == std::vector<std::string>{"0/4", "0/8", "1/2", "1/6", "1/10", "2/4", "2/8"});
}

TEST_CASE("the steps of a validation are logged further on after a resume") {
  struct Net : ToyModule {
    StepOutput validation_step(Batch& batch, int64_t, int64_t) override {
      log("val", loss_of(batch), {.on_step = true, .on_epoch = false});
      return {};
    }
  };
  const TempDir directory;
  const auto file = directory / "half.ckpt";
  const auto rows_of = [&](const std::string& hook, int call, const std::string& checkpoint) {
    auto rows = std::make_shared<RowLogger>("val");
    TrainerOptions options = quiet(4);
    options.loggers = {rows};
    options.log_every_n_steps = 1;
    Net module;
    Trainer trainer(options, {actor_at(hook, call, [&](Trainer& running) {
                      running.save_checkpoint(file);
                      throw std::runtime_error("killed");
                    })});
    try {
      trainer.fit(module, toy_data(3, 2), {.ckpt_path = checkpoint});
    } catch (const std::runtime_error&) {
    }
    std::vector<int64_t> steps;
    for (const auto& row : rows->rows) steps.push_back(row.step);
    return steps;
  };
  const auto whole = rows_of("", 0, "");
  CHECK(whole == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
  rows_of("on_train_epoch_end", 2, "");
  CHECK(rows_of("", 0, file.string()) == std::vector<int64_t>{4, 5, 6, 7});
  rows_of("on_validation_batch_end", 4, "");  // that validation is done again
  CHECK(rows_of("", 0, file.string()) == std::vector<int64_t>{2, 3, 4, 5, 6, 7});
}

}  // namespace resume_after_failure_test
