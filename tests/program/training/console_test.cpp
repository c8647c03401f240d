// Where the program's text goes decides nothing about a training: readers that go away, streams that
// were never there.
#include "running.h"

namespace console_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;
using StreamKind = Running::StreamKind;

namespace {

fs::path last_of(const Trainee& user, const std::string& run = "run") {
  return user.here(run + "/checkpoints/last.ckpt");
}

std::int64_t step_of(const fs::path& checkpoint) {
  return CheckpointFile::open(checkpoint).document().at("checkpoint").at("global_step").as_int();
}

// name -> content of every file below a directory, but what holds times.
std::map<std::string, std::string> files_of(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name.starts_with("events.") || name == ".lock") continue;
    files[entry.path().lexically_relative(directory).string()] = read_file(entry.path());
  }
  return files;
}

}  // namespace

TEST_CASE("an interrupted training is saved though the reader of its log has gone") {
  const Trainee user;
  // As `grapnel fit 2>&1 | tee log`, whose tee the same Ctrl-C ends.
  Running fit(user, {"fit", "--json", "--run-dir", "run", "--set", "trainer.max_epochs=100000"},
              {.error = StreamKind::no_reader});
  REQUIRE(fit.until_exists(last_of(user)));
  fit.signal(SIGINT);
  CHECK(fit.exit_code() == 128 + SIGINT);
  CHECK(step_of(last_of(user)) == parse_json(fit.answer(), "answer").at("global_step").as_int());
}

TEST_CASE("an interrupted training keeps its exit code though nobody reads its report") {
  const Trainee user;
  Running fit(user, {"fit", "--run-dir", "run", "--set", "trainer.max_epochs=100000"},
              {.output = StreamKind::no_reader, .error = StreamKind::no_reader});
  REQUIRE(fit.until_exists(last_of(user)));
  fit.signal(SIGTERM);
  CHECK(fit.exit_code() == 128 + SIGTERM);
}

TEST_CASE("a training without readers trains to its end, and says at the end what it could not") {
  const Trainee user;
  const Arguments arguments = {"fit", "--run-dir", "run", "--set", "trainer.max_epochs=2"};
  Running unheard(user, arguments, {.error = StreamKind::no_reader});
  CHECK(unheard.exit_code() == 0);
  CHECK_THAT(unheard.answer(), Contains("val_acc"));
  CHECK(step_of(last_of(user)) == 90);
  fs::remove_all(user.here("run"));
  Running unread(user, arguments, {.output = StreamKind::no_reader});
  CHECK(unread.exit_code() == 6);
  CHECK_THAT(unread.error(), Contains("cannot write to 'standard output'"));
  CHECK(step_of(last_of(user)) == 90);
}

TEST_CASE("text for a stream that is closed gets into none of the run's files") {
  const Trainee user;
  user.write("run.json", R"({"loggers": ["csv", "json_lines", "tensorboard"], "seed": 3,
                             "trainer": {"max_epochs": 2, "log_every_n_steps": 5}})");
  const auto fit = [&](const std::string& run, const Running::Setting& setting) {
    Running running(user, {"fit", "--config", "run.json", "--run-dir", run, "--json"}, setting);
    INFO(run);
    CHECK(running.exit_code() == 0);
    for (const auto& entry : fs::directory_iterator(user.here(run))) {
      if (!entry.is_regular_file() || entry.path().filename() == ".lock") continue;
      INFO(entry.path());
      const std::string content = read_file(entry.path());
      CHECK_THAT(content, !Contains("grapnel: ") && !Contains("stop_reason") && !Contains("it/s"));
    }
    return files_of(user.here(run));
  };
  const auto whole = fit("whole", {});
  CHECK(whole.size() >= 4);
  CHECK(fit("no_output", {.output = StreamKind::closed}).size() == whole.size());
  CHECK(fit("no_error", {.error = StreamKind::closed}).size() == whole.size());
  const auto none =
      fit("none",
          {.input = StreamKind::closed, .output = StreamKind::closed, .error = StreamKind::closed});
  CHECK(none.at("metrics.csv") == whole.at("metrics.csv"));
  CHECK(none.at("metrics.jsonl") == whole.at("metrics.jsonl"));
}

TEST_CASE("a plugin is probed by a program that has no streams") {
  const Trainee user;
  user.drop_in("ema");
  Running validate(
      user, {"plugin", "validate", "ema"},
      {.input = StreamKind::closed, .output = StreamKind::closed, .error = StreamKind::closed});
  CHECK(validate.exit_code() == 0);
}

}  // namespace console_test
