// Which file `--ckpt last` and `--ckpt best` mean, what a report names, and that the commands that it
// prints work as printed.
#include <chrono>

#include "running.h"

namespace checkpoint_choice_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr auto kHour = std::chrono::hours(1);

void make_newer(const fs::path& file) {
  fs::last_write_time(file, fs::last_write_time(file) + kHour);
}

// A run with a checkpoint of every epoch, and last.ckpt.
fs::path run_of_three_epochs(const Trainee& user) {
  user.fit_json(3, {"--run-dir", "run", "--set",
                    R"(callbacks.model_checkpoint={"save_top_k": -1, "save_last": true})"});
  return user.here("run/checkpoints");
}

// The step at which `fit --ckpt last` resumes: it trains on to epoch 4.
std::string resumed_from(const Trainee& user) {
  const ProcessResult result = user.fit(4, {"--run-dir", "run", "--ckpt", "last"});
  INFO(result.error);
  REQUIRE(result.exit_code == 0);
  const std::string start = "resuming from the checkpoint ";
  const std::size_t at = result.error.find(start);
  REQUIRE(at != std::string::npos);
  const std::size_t begin = at + start.size();
  return fs::path(result.error.substr(begin, result.error.find('\n', begin) - begin)).filename();
}

// The line's text after its name.
std::string line_of(const std::string& report, const std::string& name) {
  const std::size_t at = ("\n" + report).find("\n" + name + " ");
  if (at == std::string::npos) return "";
  const std::size_t begin = report.find_first_not_of(' ', at + name.size());
  return report.substr(begin, report.find('\n', begin) - begin);
}

// Runs a line of a report in a shell, as somebody would who copies it.
ProcessResult in_shell(const Trainee& user, std::string command) {
  const std::string program = "grapnel ";
  REQUIRE(command.starts_with(program));
  command = "exec '" GRAPNEL "' " + command.substr(program.size());
  return user.run({"-c", command}, {}, "/bin/sh");
}

}  // namespace

TEST_CASE(
    "--ckpt last is the checkpoint that is furthest in the training, whatever the files' times") {
  const Trainee user;
  const fs::path checkpoints = run_of_three_epochs(user);
  make_newer(checkpoints / "epoch=0-step=10.ckpt");
  make_newer(checkpoints / "epoch=1-step=20.ckpt");
  const std::string file = resumed_from(user);
  CHECK((file == "last.ckpt" || file == "epoch=2-step=30.ckpt"));
}

TEST_CASE("--ckpt last passes over files that are damaged or empty, and names the one it takes") {
  const Trainee user;
  const fs::path checkpoints = run_of_three_epochs(user);
  const std::string whole = read_file(checkpoints / "epoch=2-step=30.ckpt");
  // The tensors of one are damaged, the other one has only its beginning.
  std::string damaged = whole;
  damaged[whole.size() - 200] ^= 1;
  fs::remove(checkpoints / "last.ckpt");
  user.write("run/checkpoints/epoch=2-step=30.ckpt", damaged);
  user.write("run/checkpoints/last.ckpt", whole.substr(0, whole.size() / 2));
  user.write("run/checkpoints/empty.ckpt", "");
  make_newer(checkpoints / "empty.ckpt");
  const ProcessResult tested = user.run({"test", "--run-dir", "run", "--ckpt", "last", "--json"});
  CHECK(tested.exit_code == 0);
  CHECK(parse_json(tested.output, "answer").at("global_step").as_int() == 20);
  CHECK_THAT(tested.error, Contains("empty.ckpt") && Contains("epoch=2-step=30.ckpt") &&
                               Contains("epoch=1-step=20.ckpt' is used"));
  CHECK(resumed_from(user) == "epoch=1-step=20.ckpt");
}

TEST_CASE("when none of a run's checkpoints can be used, each reason is told") {
  const Trainee user;
  user.fit_json(1, {"--run-dir", "run"});
  for (const auto& entry : fs::directory_iterator(user.here("run/checkpoints"))) {
    fs::remove(entry.path());
  }
  user.write("run/checkpoints/last.ckpt", "nonsense");
  const ProcessResult result = user.fit(2, {"--run-dir", "run", "--ckpt", "last"});
  CHECK(result.exit_code == 5);
  CHECK_THAT(result.error, Contains("can be used") && Contains("last.ckpt"));
}

TEST_CASE("checkpoints that can't be read are no reason to begin a run anew") {
  const Trainee user;
  user.fit_json(1, {"--run-dir", "run"});
  const fs::path checkpoints = user.here("run/checkpoints");
  fs::rename(checkpoints, user.here("run/kept"));
  fs::create_symlink("checkpoints", checkpoints);  // a directory that leads to itself
  for (const char* which : {"auto", "last"}) {
    const ProcessResult result = user.fit(2, {"--run-dir", "run", "--ckpt", which});
    CHECK(result.exit_code == 6);
    CHECK_THAT(result.error, Contains("cannot read the directory 'run/checkpoints'"));
  }
}

TEST_CASE("--ckpt last of a fit passes over checkpoints of weights only") {
  const Trainee user;
  const Arguments setting = {"--run-dir", "run", "--set",
                             R"(callbacks.model_checkpoint={"save_weights_only": true,
                                "every_n_train_steps": 7, "save_top_k": -1})"};
  user.fit_json(2, setting);
  Arguments resumed = setting;
  resumed.insert(resumed.end(), {"--ckpt", "last"});
  user.fit_json(2, resumed);
  CHECK(user.fit_json(3, resumed).at("global_step").as_int() == 30);
}

TEST_CASE("a fit keeps a last state though its own last file is of weights only") {
  const Trainee user;
  const Arguments setting = {"--run-dir", "run", "--set",
                             R"(callbacks.model_checkpoint={"save_weights_only": true,
                                "save_last": true})"};
  user.fit_json(2, setting);
  Arguments resumed = setting;
  resumed.insert(resumed.end(), {"--ckpt", "last"});
  CHECK(user.fit_json(3, resumed).at("global_step").as_int() == 30);
}

TEST_CASE("a signal saves though the model_checkpoint of run.json doesn't save on exceptions") {
  const Trainee user;
  Running fit(user, {"fit", "--json", "--run-dir", "run", "--set", "trainer.max_epochs=100000",
                     "--set", R"(callbacks.model_checkpoint={"save_last": true,
                                 "every_n_train_steps": 64})"});
  REQUIRE(fit.until_exists(user.here("run/checkpoints/last.ckpt")));
  fit.signal(SIGTERM);
  CHECK(fit.exit_code() == 128 + SIGTERM);
  const std::int64_t steps = parse_json(fit.answer(), "answer").at("global_step").as_int();
  const ConfigValue tested = user.json({"test", "--run-dir", "run", "--ckpt", "last"});
  CHECK(tested.at("global_step").as_int() == steps);
}

TEST_CASE("a finished training whose last step is no multiple of N has a checkpoint of its end") {
  const Trainee user;
  user.fit_json(2, {"--run-dir", "run", "--set",
                    R"(callbacks.model_checkpoint={"save_last": true, "every_n_train_steps": 7})"});
  CHECK(user.json({"test", "--run-dir", "run", "--ckpt", "last"}).at("global_step").as_int() == 20);
}

TEST_CASE("a resume removes no file that the last checkpoint of another run leads to") {
  const Trainee user;
  const Arguments shared = {
      "--set",
      R"(callbacks.model_checkpoint={"dirpath": "shared", "save_last": "link", "save_on_exception": true})"};
  const auto fit = [&](int epochs, Arguments arguments) {
    arguments.insert(arguments.end(), shared.begin(), shared.end());
    user.fit_json(epochs, arguments);
  };
  const fs::path checkpoints = user.here("shared");
  // What a run was resumed from is for the next resume to remove ...
  fit(1, {"--run-dir", "run"});
  fit(3, {"--run-dir", "run", "--ckpt", "last"});
  REQUIRE(fs::remove(checkpoints / "epoch=0-step=10.ckpt"));
  // ... but here another run has written a file of this name.
  fit(1, {"--run-dir", "other"});
  REQUIRE(fs::exists(checkpoints / "last-v1.ckpt"));
  fit(4, {"--run-dir", "run", "--ckpt", "last"});
  CHECK(fs::exists(checkpoints / "last-v1.ckpt"));
  CHECK(fs::exists(checkpoints / "epoch=0-step=10.ckpt"));
}

TEST_CASE("a new training in the directory of another one has its own last and best checkpoint") {
  const Trainee user;
  user.fit_json(3, {"--run-dir", "run"});
  const std::string former = read_file(user.here("run/checkpoints/last.ckpt"));
  SECTION("begun anew") {
    user.fit_json(1, {"--run-dir", "run", "--set", "model.hidden=[7]"});
    CHECK(user.json({"test", "--run-dir", "run", "--ckpt", "last"}).at("global_step").as_int() ==
          10);
    CHECK(user.json({"test", "--run-dir", "run", "--ckpt", "best"}).at("global_step").as_int() ==
          10);
    const Arguments again = {"--run-dir", "run", "--ckpt", "last"};
    CHECK(user.fit_json(2, again).at("global_step").as_int() == 20);
    // Nothing of the former one is lost.
    CHECK(user.json({"test", "--config", "run/run-1.json", "--ckpt", "run/checkpoints-1/last.ckpt"})
              .at("global_step")
              .as_int() == 30);
  }
  SECTION("begun from the checkpoint of another run") {
    user.fit_json(1, {"--run-dir", "other"});
    user.fit_json(2, {"--run-dir", "run", "--ckpt", "other/checkpoints/last.ckpt"});
    CHECK(user.json({"test", "--run-dir", "run", "--ckpt", "last"}).at("global_step").as_int() ==
          20);
  }
  CHECK(read_file(user.here("run/checkpoints-1/last.ckpt")) == former);
  user.fit_json(1, {"--run-dir", "run"});
  CHECK(fs::exists(user.here("run/checkpoints-2/last.ckpt")));
  CHECK(read_file(user.here("run/checkpoints-1/last.ckpt")) == former);
}

TEST_CASE("what keeps the last state takes no other checkpoint's name") {
  const Trainee user;
  const std::string worst =
      R"(callbacks.model_checkpoint={"filename": "last", "monitor": "val_acc", "mode": "min"})";
  const std::int64_t trained =
      user.fit_json(4, {"--run-dir", "run", "--set", worst}).at("global_step").as_int();
  const auto step = [&](const char* which) {
    return user.json({"test", "--run-dir", "run", "--ckpt", which}).at("global_step").as_int();
  };
  CHECK(step("last") == trained);
  CHECK(step("best") < trained);
}

TEST_CASE("a link to the last checkpoint stays a link, however checkpoints are saved") {
  const Trainee user;
  for (const std::string saving : {"asynchronous", "synchronous"}) {
    user.fit_json(2, {"--run-dir", saving, "--set", "trainer.checkpoint_saving=" + saving, "--set",
                      R"(callbacks.model_checkpoint={"save_last": "link"})"});
    INFO(saving);
    CHECK(fs::is_symlink(user.here(saving + "/checkpoints/last.ckpt")));
  }
}

TEST_CASE("a report names the checkpoint that the run wrote last, and the best one") {
  const Trainee user;
  const ProcessResult result =
      user.fit(3, {"--run-dir", "run", "--set", "callbacks.model_checkpoint.monitor=val_loss",
                   "--set", "callbacks.model_checkpoint.mode=max"});
  REQUIRE(result.exit_code == 0);
  CHECK(line_of(result.output, "best") == "run/checkpoints/epoch=0-step=10.ckpt");
  const fs::path named = line_of(result.output, "checkpoint");
  const CheckpointFile file = CheckpointFile::open(user.here(named));
  CHECK(file.document().at("checkpoint").at("global_step").as_int() == 30);
}

TEST_CASE("after an interruption the report names the checkpoint of the interruption") {
  const Trainee user;
  Running fit(user, {"fit", "--json", "--run-dir", "run", "--set", "trainer.max_epochs=100000"});
  REQUIRE(fit.until_exists(user.here("run/checkpoints/last.ckpt")));
  fit.signal(SIGTERM);
  fit.wait();
  const ConfigValue answer = parse_json(fit.answer(), "answer");
  const CheckpointFile file = CheckpointFile::open(user.here(answer.at("checkpoint").as_string()));
  CHECK(file.document().at("checkpoint").at("global_step") == answer.at("global_step"));
}

TEST_CASE("the command that resumes a run works as printed") {
  const Trainee user;
  user.drop_in("ema");
  const std::vector<Arguments> ways = {
      {"--run-dir", "a run's directory"},
      {"--run-dir", "run"},
      {"--plugin", "ema"},
      {"--set", R"(callbacks.model_checkpoint={"dirpath": "elsewhere", "every_n_epochs": 10,
                   "save_last": true})"},
      {"--set", R"(loggers={"csv": {"save_dir": "logs", "name": "mine"}})"},
      {"--set", R"(callbacks.model_checkpoint={"every_n_train_steps": 7, "save_last": "link"})"}};
  for (const Arguments& way : ways) {
    const ProcessResult first = user.fit(2, way);
    INFO(way.back() << ": " << first.error);
    REQUIRE(first.exit_code == 0);
    const std::string command = line_of(first.output, "resume");
    const ProcessResult resumed = in_shell(user, command + " --set trainer.max_epochs=3 --json");
    INFO(command << ": " << resumed.error);
    REQUIRE(resumed.exit_code == 0);
    CHECK(parse_json(resumed.output, "answer").at("global_step").as_int() == 30);
    CHECK(parse_json(resumed.output, "answer").at("plugins").size() ==
          (way.front() == "--plugin" ? 1 : 0));
  }
}

TEST_CASE("--ckpt last of a configuration that names its run directory is that run's") {
  const Trainee user;
  user.write("run.json", R"({"run_dir": "own"})");
  user.fit_json(1, {"--run-dir", "runs/another"});
  user.fit_json(2, {"--config", "run.json"});
  user.fit_json(1, {"--run-dir", "runs/another"});
  const ConfigValue answer = user.fit_json(3, {"--config", "run.json", "--ckpt", "last"});
  CHECK(answer.at("run_directory").as_string() == "own");
  CHECK(answer.at("global_step").as_int() == 30);
}

TEST_CASE("a run directory that was moved with its checkpoints elsewhere is resumed") {
  const Trainee user;
  user.fit_json(2, {"--run-dir", "old/run", "--set",
                    R"(callbacks.model_checkpoint={"dirpath": "old/kept", "save_last": true})"});
  fs::rename(user.here("old"), user.here("new"));
  const ProcessResult tested =
      user.run({"test", "--run-dir", "new/run", "--ckpt", "last", "--json"});
  INFO(tested.error);
  REQUIRE(tested.exit_code == 0);
  CHECK(parse_json(tested.output, "answer").at("global_step").as_int() == 20);
}

}  // namespace checkpoint_choice_test
