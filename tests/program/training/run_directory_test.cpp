// What a fit does to its run directory: one process at a time, nothing before the training has begun,
// nothing after its end.
#include "patience.h"
#include "replaced_checkpoint.h"
#include "running.h"

namespace run_directory_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// name -> content of every file and link below a directory, but the lock.
std::map<std::string, std::string> files_of(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_directory() || entry.path().filename() == ".lock") continue;
    const std::string name = entry.path().lexically_relative(directory).string();
    files[name] = entry.is_symlink() ? "-> " + fs::read_symlink(entry.path()).string()
                                     : read_file(entry.path());
  }
  return files;
}

// The names of the files that differ, or that only one of the two has.
std::vector<std::string> changed(const std::map<std::string, std::string>& before,
                                 const std::map<std::string, std::string>& after) {
  std::vector<std::string> names;
  for (const auto& [name, content] : before) {
    const auto found = after.find(name);
    if (found == after.end() || found->second != content) names.push_back(name);
  }
  for (const auto& [name, content] : after) {
    if (!before.contains(name)) names.push_back(name);
  }
  return names;
}

fs::path last_of(const Trainee& user, const std::string& run) {
  return user.here(run + "/checkpoints/last.ckpt");
}

}  // namespace

TEST_CASE("a resume that is refused changes nothing in the run's directory") {
  const Trainee user;
  user.fit_json(1, {"--run-dir", "run"});
  user.write("damaged.ckpt", read_file(last_of(user, "run")).substr(0, 3000));
  user.write("bad.csv", "a,b\n1,\n");
  const auto before = files_of(user.here("run"));
  const std::vector<Arguments> refused = {
      {"--set", "model.hidden=[128]"},
      {"--set", "model.name=cnn"},
      {"--set", "optimizer=SGD"},
      {"--set", "data.name=csv", "--set", "data.path=bad.csv", "--set", "data.target=b"},
      {"--set", "trainer.max_time=abc"},
      {"--set", R"(callbacks.model_checkpoint.filename="{epoch:.f}")"},
      {"--ckpt", "damaged.ckpt"},
      {"--ckpt", "nowhere.ckpt"}};
  for (const Arguments& how : refused) {
    Arguments arguments = {"--run-dir", "run"};
    if (how.front() != "--ckpt") arguments.insert(arguments.end(), {"--ckpt", "last"});
    arguments.insert(arguments.end(), how.begin(), how.end());
    const ProcessResult result = user.fit(3, arguments);
    INFO(how.back() << ": " << result.error);
    CHECK(result.exit_code != 0);
    CHECK(changed(before, files_of(user.here("run"))).empty());
  }
  CHECK(user.fit_json(2, {"--run-dir", "run", "--ckpt", "last"}).at("global_step").as_int() == 20);
  CHECK(user.run({"test", "--run-dir", "run"}).exit_code == 0);
}

TEST_CASE("a new fit that is refused leaves no directory") {
  const Trainee user;
  user.write("bad.csv", "a,b\n1,\n");
  user.write("bad.idx", "nonsense");
  const std::vector<Arguments> refused = {
      {"--set", "data.name=csv", "--set", "data.path=bad.csv", "--set", "data.target=b"},
      {"--set", "data.name=csv", "--set", "data.path=nowhere.csv", "--set", "data.target=b"},
      {"--set", "trainer.max_time=abc"},
      {"--set", R"(callbacks.model_checkpoint.filename="{epoch:.f}")"},
      {"--set", "callbacks.model_checkpoint.save_top_k=-3"},
      {"--set", "loggers.csv.name=../outside"},
      {"--ckpt", "nowhere.ckpt"}};
  const auto before = files_of(user.directories.project);
  for (const Arguments& how : refused) {
    for (const bool named : {false, true}) {
      Arguments arguments = how;
      if (named) arguments.insert(arguments.end(), {"--run-dir", "new/run/"});
      const ProcessResult result = user.fit(1, arguments);
      INFO(how.back() << ": " << result.error);
      CHECK(result.exit_code != 0);
      CHECK(changed(before, files_of(user.directories.project)).empty());
      CHECK(!fs::exists(user.here("runs")));
      CHECK(!fs::exists(user.here("new")));
    }
  }
}

TEST_CASE("run.json holds the configuration as the training that began last had it") {
  const Trainee user;
  user.fit_json(1, {"--run-dir", "run"});
  CHECK_THAT(read_file(user.here("run/run.json")), Contains("\"max_epochs\": 1"));
  user.fit_json(3, {"--run-dir", "run", "--ckpt", "last"});
  CHECK_THAT(read_file(user.here("run/run.json")), Contains("\"max_epochs\": 3"));
}

TEST_CASE("a second fit in the directory of one that runs is refused, naming the process") {
  const Trainee user;
  Running first(user, {"fit", "--run-dir", "run", "--set", "trainer.max_epochs=100000"});
  REQUIRE(first.until_exists(last_of(user, "run")));
  for (const Arguments& again : {Arguments{}, Arguments{"--ckpt", "last"}}) {
    Arguments arguments = {"--run-dir", "run"};
    arguments.insert(arguments.end(), again.begin(), again.end());
    const ProcessResult second = user.fit(1, arguments);
    CHECK(second.exit_code == 6);
    CHECK_THAT(second.error, Contains("this run is being trained by process " +
                                      std::to_string(first.id()) + " on "));
  }
  // Reading it is possible meanwhile.
  CHECK(user.run({"test", "--run-dir", "run"}).exit_code == 0);
  CHECK(user.run({"predict", "--run-dir", "run", "--ckpt", "last"}).exit_code == 0);
  CHECK(user.run({"fit", "--run-dir", "run", "--ckpt", "last", "--explain"}).exit_code == 0);
  first.signal(SIGKILL);
  first.wait();
  // The lock ends with its process.
  const ProcessResult resumed =
      user.run({"fit", "--run-dir", "run", "--ckpt", "last", "--set", "trainer.max_epochs=1"});
  CHECK_THAT(resumed.error, !Contains("is being trained"));
}

TEST_CASE("a run is evaluated while its checkpoints are replaced all the time") {
  const Trainee user;
  user.fit_json(1, {"--run-dir", "run"});
  fs::path only;
  for (const auto& entry : fs::directory_iterator(user.here("run/checkpoints"))) {
    if (!entry.is_symlink()) only = entry.path();
  }
  fs::remove(last_of(user, "run"));
  // A sanitized program reads a checkpoint more slowly by far.
  const ReplacedCheckpoint training(only, std::chrono::milliseconds(kPatience == 1 ? 3 : 60));
  for (const std::string wanted : {"last", "best", "last", "best"}) {
    const ProcessResult result = user.run({"predict", "--run-dir", "run", "--ckpt", wanted});
    INFO(result.error);
    CHECK(result.exit_code == 0);
  }
  CHECK(training.times() > 10);
}

TEST_CASE("of several fits that begin in one directory at once, one trains") {
  const Trainee user;
  std::vector<std::unique_ptr<Running>> fits;
  for (int i = 0; i < 3; ++i) {
    fits.push_back(std::make_unique<Running>(
        user, Arguments{"fit", "--run-dir", "run", "--set", "trainer.max_epochs=100000"},
        Running::Setting{.name = std::to_string(i)}));
  }
  int refused = 0;
  // Asked once of each: a fit may end at any moment.
  const auto was_refused = [&](const std::unique_ptr<Running>& fit) {
    if (!fit->has_ended()) return false;
    CHECK(fit->exit_code() == 6);
    CHECK_THAT(fit->error(), Contains("this run is being trained by "));
    ++refused;
    return true;
  };
  while (refused < 2) {
    std::erase_if(fits, was_refused);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  REQUIRE(fits.size() == 1);
  REQUIRE(fits.front()->until_exists(last_of(user, "run")));
  fits.front()->signal(SIGTERM);
  CHECK(fits.front()->exit_code() == 128 + SIGTERM);
}

TEST_CASE("a file of the user's that has the name of the lock is not overwritten") {
  const Trainee user;
  user.write("notes", "mine");
  fs::create_directory(user.here("linked"));
  fs::create_symlink("../notes", user.here("linked/.lock"));
  fs::create_directory(user.here("hard"));
  fs::create_hard_link(user.here("notes"), user.here("hard/.lock"));
  fs::create_directory(user.here("own"));
  user.write("own/.lock", "also mine");
  for (const char* run : {"linked", "hard", "own"}) {
    const ProcessResult result = user.fit(1, {"--run-dir", run});
    INFO(run << ": " << result.error);
    CHECK(result.exit_code == 6);
    CHECK_THAT(result.error, Contains(".lock"));
    CHECK(!fs::exists(user.here(std::string(run) + "/run.json")));
  }
  // Where only checkpoints are written, too.
  const ProcessResult kept = user.fit(
      1, {"--run-dir", "run", "--set", R"(callbacks.model_checkpoint={"dirpath": "linked"})"});
  CHECK(kept.exit_code != 0);
  CHECK(read_file(user.here("notes")) == "mine");
  CHECK(read_file(user.here("own/.lock")) == "also mine");
}

TEST_CASE("a run is evaluated without its lock, and predictions may be written elsewhere") {
  const Trainee user;
  user.fit_json(1, {"--run-dir", "run"});
  fs::remove(user.here("run/.lock"));
  fs::create_directory(user.here("run/.lock"));  // nobody can lock that
  for (const char* command : {"test", "validate", "predict"}) {
    INFO(command);
    CHECK(user.run({command, "--run-dir", "run"}).exit_code == 0);
  }
  fs::remove(user.here("run/predictions.csv"));
  fs::create_directory(user.here("run/predictions.csv"));  // nor write to that
  const ProcessResult refused = user.run({"predict", "--run-dir", "run"});
  CHECK(refused.exit_code == 6);
  CHECK_THAT(refused.error, Contains("run/predictions.csv") && Contains("--output FILE"));
  CHECK(user.run({"predict", "--run-dir", "run", "--output", "other.csv"}).exit_code == 0);
  CHECK(fs::exists(user.here("other.csv")));
  const ProcessResult fit = user.run({"fit", "--run-dir", "run", "--ckpt", "last"});
  CHECK(fit.exit_code == 6);
  CHECK_THAT(fit.error, Contains("run/.lock"));
}

TEST_CASE("a run that writes its checkpoints where another one does is told so") {
  const Trainee user;
  const std::string kept = R"(callbacks.model_checkpoint={"dirpath": "kept", "save_last": true})";
  Running first(user,
                {"fit", "--run-dir", "a", "--set", "trainer.max_epochs=100000", "--set", kept});
  REQUIRE(first.until_exists(user.here("kept/last.ckpt")));
  const ProcessResult second = user.fit(1, {"--run-dir", "b", "--set", kept});
  CHECK(second.exit_code == 0);
  CHECK_THAT(second.error, Contains("process " + std::to_string(first.id()) + " on ") &&
                               Contains("writes its checkpoints to 'kept' too"));
  first.signal(SIGTERM);
  CHECK(first.exit_code() == 128 + SIGTERM);
  CHECK_THAT(user.fit(1, {"--run-dir", "c", "--set", kept}).error, !Contains("kept' too"));
}

TEST_CASE("the same command on a complete run changes nothing, and says so") {
  const Trainee user;
  user.fit_json(2, {"--run-dir", "run"});
  const auto before = files_of(user.here("run"));
  const ProcessResult again = user.fit(2, {"--run-dir", "run", "--ckpt", "last"});
  INFO(again.error);
  CHECK(again.exit_code == 0);
  CHECK_THAT(again.output, Contains("nothing was left to train") && !Contains("\ncheckpoint"));
  CHECK(changed(before, files_of(user.here("run"))).empty());
}

TEST_CASE("a resume that trains nothing says which option keeps it from training") {
  const Trainee user;
  user.fit_json(2, {"--run-dir", "run"});
  user.fit_json(9, {"--run-dir", "stopped", "--set",
                    R"(callbacks.early_stopping={"monitor": "val_loss", "min_delta": 1000, )"
                    R"("patience": 1})"});
  struct Case {
    const char* run;
    const char* option;
    const char* text;
  };
  const Case cases[] = {
      {"run", "trainer.max_epochs=2",
       "the checkpoint has 2 epochs, 20 steps, and trainer.max_epochs is 2"},
      {"run", "trainer.max_steps=0", "and trainer.max_steps is 0"},
      {"run", "trainer.limit_train_batches=0",
       "nothing was trained: trainer.limit_train_batches is 0"},
      {"run", "trainer.fast_dev_run=true", "trainer.fast_dev_run ends a training after 1 step"},
      {"stopped", "callbacks.early_stopping.min_delta=0", "such as the patience of early_stopping"},
  };
  for (const Case& resumed : cases) {
    const ProcessResult result =
        user.run({"fit", "--run-dir", resumed.run, "--ckpt", "last", "--set", resumed.option});
    INFO(resumed.option << ": " << result.output << result.error);
    CHECK_THAT(result.output, Contains(resumed.text));
    const bool by_the_run = std::string(resumed.run) == "stopped";
    CHECK(by_the_run == (result.output.find("the run had ended before") != std::string::npos));
  }
}

TEST_CASE("a resume removes what a killed process left while it wrote") {
  const Trainee user;
  user.fit_json(1, {"--run-dir", "run", "--set",
                    R"(callbacks.model_checkpoint={"dirpath": "kept", "save_last": true})"});
  // A process that has ended, and this one.
  Running ended(user, {"--version"});
  ended.wait();
  const auto temporary = [&](const std::string& file, pid_t process) {
    const fs::path path(file);
    return user.write(path.parent_path() / ("." + path.filename().string() + ".tmp-" +
                                            std::to_string(process) + "-0-1"),
                      "half");
  };
  const std::vector<fs::path> stale = {temporary("run/run.json", ended.id()),
                                       temporary("run/metrics.csv", ended.id()),
                                       temporary("kept/last.ckpt", ended.id())};
  const fs::path written = temporary("kept/other.ckpt", getpid());
  user.fit_json(2, {"--run-dir", "run", "--ckpt", "last"});
  for (const fs::path& file : stale) {
    INFO(file);
    CHECK(!fs::exists(file));
  }
  CHECK(fs::exists(written));
}

TEST_CASE("a checkpoint that can't be written is one error, with the cause, and code 6") {
  const Trainee user;
  Running fit(user, {"fit", "--quiet", "--run-dir", "run", "--set", "trainer.max_epochs=2"},
              {.before = "ulimit -f 40"});
  CHECK(fit.exit_code() == 6);
  const std::string error = fit.error();
  // What else was tried, in vain, are warnings after it.
  CHECK_THAT(error,
             Catch::StartsWith("grapnel: error: cannot write to ") && Contains("File too large"));
  CHECK(error.find("grapnel: error: ", 1) == std::string::npos);
  for (const auto& [name, content] : files_of(user.here("run")))
    CHECK_THAT(name, !Contains(".tmp"));
}

TEST_CASE("predict finds out before its work that the file can't be written") {
  const Trainee user;
  user.fit_json(1);
  user.write("file", "");
  const ProcessResult result = user.run({"predict", "--output", "file/predictions.csv"});
  CHECK(result.exit_code == 6);
  CHECK_THAT(result.error, Contains("'file'") && !Contains("using the weights"));
}

TEST_CASE("two loggers of one name each have their files") {
  const Trainee user;
  const ProcessResult result =
      user.fit(1, {"--quiet", "--run-dir", "run", "--set", R"(loggers=["csv", "csv"])"});
  CHECK(result.exit_code == 0);
  CHECK(result.error.empty());
  CHECK(read_file(user.here("run/csv_1/metrics.csv")) == read_file(user.here("run/metrics.csv")));
}

TEST_CASE("a run directory that is removed while it trains is told, and run.json comes back") {
  const Trainee user;
  Running fit(user, {"fit", "--run-dir", "run", "--set", "trainer.max_epochs=100000"});
  REQUIRE(fit.until_exists(last_of(user, "run")));
  fs::remove(user.here("run/run.json"));
  REQUIRE(fit.until_exists(user.here("run/run.json")));
  fit.signal(SIGTERM);
  CHECK(fit.exit_code() == 128 + SIGTERM);
  CHECK_THAT(fit.error(), Contains("run.json was removed while the run was training"));
}

}  // namespace run_directory_test
