// grapnel fit: what it needs (nothing), what it says, what it leaves behind.
#include <cstdlib>

#include "trainee.h"

namespace fit_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
using Catch::EndsWith;
namespace fs = std::filesystem;

TEST_CASE("grapnel fit without options learns the embedded digits and ends with the accuracy") {
  const Trainee user;
  const ProcessResult result = user.run({"fit", "--set", "trainer.max_epochs=8"});
  INFO(result.error);
  REQUIRE(result.exit_code == 0);
  const std::size_t line = result.output.find("\nval_acc ");
  REQUIRE(line != std::string::npos);
  CHECK(std::strtod(result.output.c_str() + line + 9, nullptr) > 0.9);
  CHECK_THAT(result.output, Contains("\ncheckpoint   runs/mlp-digits-0/checkpoints/epoch="));
  CHECK_THAT(result.output,
             EndsWith("\nresume       grapnel fit --run-dir runs/mlp-digits-0 --ckpt last\n"));
  CHECK(fs::exists(user.here("runs/mlp-digits-0/metrics.csv")));
  CHECK(fs::exists(user.here("runs/mlp-digits-0/run.json")));
  CHECK(fs::exists(user.here("runs/mlp-digits-0/checkpoints/last.ckpt")));
}

TEST_CASE("with --json standard output is one JSON object, and progress goes to standard error") {
  const Trainee user;
  const ConfigValue answer = user.fit_json(2);
  for (const char* key : {"metrics", "global_step", "epoch", "stop_reason", "checkpoint",
                          "run_directory", "plugins"}) {
    INFO(key);
    CHECK(answer.contains(key));
  }
  CHECK(answer.at("global_step").as_int() == 20);
  CHECK(answer.at("epoch").as_int() == 2);
  CHECK(answer.at("stop_reason").as_string() == "max_epochs");
  CHECK(answer.at("metrics").contains("val_loss"));
  CHECK(answer.at("plugins").size() == 0);
  CHECK(fs::exists(user.here(answer.at("checkpoint").as_string())));
}

TEST_CASE("every run has its own directory, and the same seed gives the same bits") {
  const Trainee user;
  const ConfigValue first = user.fit_json(1), second = user.fit_json(1);
  CHECK(first.at("run_directory").as_string() == "runs/mlp-digits-0");
  CHECK(second.at("run_directory").as_string() == "runs/mlp-digits-1");
  CHECK(tensors_of(user.here("runs/mlp-digits-0/checkpoints/last.ckpt")) ==
        tensors_of(user.here("runs/mlp-digits-1/checkpoints/last.ckpt")));
  user.fit_json(1, {"--set", "seed=1"});
  CHECK(tensors_of(user.here("runs/mlp-digits-0/checkpoints/last.ckpt")) !=
        tensors_of(user.here("runs/mlp-digits-2/checkpoints/last.ckpt")));
}

TEST_CASE("run.json chooses model, optimizer, callbacks, loggers and the directory") {
  const Trainee user;
  user.write("run.json", R"({
    "model": {"name": "mlp", "hidden": [16]},
    "optimizer": {"name": "SGD", "lr": 0.1},
    "scheduler": {"name": "StepLR", "step_size": 1, "gamma": 0.5},
    "callbacks": [{"name": "learning_rate_monitor"}, {"name": "early_stopping", "monitor": "val_loss"}],
    "loggers": ["csv", "tensorboard"],
    "run_dir": "here/it/is",
    "trainer": {"log_every_n_steps": 1}})");
  const ConfigValue answer = user.fit_json(2, {"--config", "run.json"});
  CHECK(answer.at("run_directory").as_string() == "here/it/is");
  const std::string table = read_file(user.here("here/it/is/metrics.csv"));
  CHECK_THAT(table, Contains("lr-SGD") && Contains("val_loss"));
  bool has_events = false;
  for (const auto& entry : fs::directory_iterator(user.here("here/it/is"))) {
    has_events = has_events || entry.path().filename().string().starts_with("events.");
  }
  CHECK(has_events);
}

TEST_CASE(
    "a callback's former name is accepted, and a misspelt metric reported, before the training") {
  const Trainee user;
  user.write("run.json", R"({
    "callbacks": ["lr_logger", {"name": "early_stopping", "monitor": "val_los", "strict": false}],
    "loggers": ["csv"], "run_dir": "out", "trainer": {"log_every_n_steps": 1}})");
  const ProcessResult result = user.fit(1, {"--config", "run.json"});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.error, Contains("'lr_logger' is called 'learning_rate_monitor' today") &&
                               Contains("among the metrics that MLP logs") &&
                               Contains("did you mean 'val_loss'?"));
  CHECK_THAT(read_file(user.here("out/metrics.csv")), Contains("lr-Adam"));
}

TEST_CASE("the summary of a run says why it stopped") {
  const Trainee user;
  const ConfigValue answer =
      user.fit_json(50, {"--set", "callbacks.early_stopping.monitor=val_loss", "--set",
                         "callbacks.early_stopping.stopping_threshold=100"});
  CHECK_THAT(answer.at("stop_reason").as_string(), Catch::StartsWith("EarlyStopping: "));
  CHECK(answer.at("epoch").as_int() == 1);
  CHECK(user.fit_json(5, {"--set", "trainer.max_steps=7"}).at("stop_reason").as_string() ==
        "max_steps");
  const ConfigValue none = user.fit_json(5, {"--set", "trainer.limit_train_batches=0"});
  CHECK(none.at("stop_reason").as_string() == "limit_train_batches");
  CHECK(none.at("epoch").as_int() == 0);
}

TEST_CASE("fast_dev_run leaves nothing behind") {
  const Trainee user;
  const ProcessResult result = user.fit(1, {"--set", "trainer.fast_dev_run=1"});
  INFO(result.error);
  CHECK(result.exit_code == 0);
  CHECK(fs::is_empty(user.directories.project));
}

TEST_CASE("--quiet prints nothing to standard error when nothing is wrong") {
  const Trainee user;
  const ProcessResult result = user.fit(1, {"--quiet"});
  CHECK(result.exit_code == 0);
  CHECK(result.error.empty());
}

TEST_CASE("--quiet leaves out a progress bar that the configuration has") {
  const Trainee user;
  const ProcessResult result =
      user.fit(1, {"--quiet", "--set", "callbacks.rich_progress_bar.refresh_rate=5"});
  CHECK(result.exit_code == 0);
  CHECK(result.error.empty());
}

TEST_CASE("--explain lists the callbacks and which hooks reach them, and runs nothing") {
  const Trainee user;
  const ProcessResult text =
      user.run({"fit", "--explain", "--set", "callbacks.early_stopping.monitor=val_loss"});
  INFO(text.error);
  REQUIRE(text.exit_code == 0);
  CHECK_THAT(text.output, Contains("EarlyStopping") && Contains("last: writes checkpoints") &&
                              Contains("on_validation_end"));
  CHECK(fs::is_empty(user.directories.project));
  const ConfigValue plan = user.json({"fit", "--explain"});
  CHECK(plan.at("callbacks").size() >= 1);
  CHECK(plan.at("hooks").at("on_train_epoch_end").size() >= 1);
}

TEST_CASE("a training that ended in nan says so in one line that names nan_guard") {
  const Trainee user;
  const ProcessResult wild =
      user.fit(1, {"--set", R"(optimizer={"name": "SGD", "lr": 1e38})", "--quiet"});
  INFO(wild.error);
  CHECK(wild.exit_code == 0);
  CHECK_THAT(wild.error, Contains("the training ended with numbers that are not finite") &&
                             Contains("--plugin nan_guard"));
  CHECK(std::count(wild.error.begin(), wild.error.end(), '\n') == 1);
  CHECK_THAT(user.fit(1, {"--quiet"}).error, !Contains("nan_guard"));
}

}  // namespace fit_test
