// What belongs to the program while plugins run: its output, its signals, its directory, its time, and that
// there is one of it.
#include <sys/stat.h>

#include "running.h"

namespace process_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

struct UserOf : Trainee {
  explicit UserOf(const std::string& plugin) {
    drop_in(plugin);
    run({"plugin", "enable", plugin});
  }
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

}  // namespace

TEST_CASE(
    "what a plugin prints goes to standard error, and the program's answer is all of its output") {
  const UserOf user("prints");
  const ProcessResult json = user.fit(1, {"--json"});
  REQUIRE(json.exit_code == 0);
  CHECK(parse_json(json.output, "standard output").at("epoch").as_int() == 1);
  for (const char* where : {"its constructor", "create", "on_train_start", "destroy"}) {
    INFO(where);
    for (const char* how : {"printf in ", "cout in ", "write in "}) {
      CHECK_THAT(json.error, Contains(std::string(how) + where + "\n"));
      CHECK_THAT(json.output, !Contains(how));
    }
  }
  CHECK_THAT(json.error, Contains("a line without an end"));

  const ProcessResult text = user.fit(1);
  CHECK_THAT(text.output, Contains("val_acc") && !Contains("printf in "));
  for (const Arguments& command : {Arguments{"fit", "--help"}, Arguments{"callbacks", "list"},
                                   Arguments{"fit", "--explain"}}) {
    const ProcessResult result = user.run(command);
    CHECK(result.exit_code == 0);
    CHECK(!result.output.empty());
    CHECK_THAT(result.output, !Contains("printf in "));
  }
}

TEST_CASE(
    "a training that a plugin makes deaf to signals hears them, and keeps its place and umask") {
  const UserOf user("hook_changes_process");
  Running fit(user, {"fit", "--json", "--run-dir", "run", "--set", "trainer.max_epochs=100000"});
  REQUIRE(fit.until_exists(user.here("run/checkpoints/last.ckpt")));  // of the first epoch
  fit.signal(SIGTERM);
  CHECK(fit.exit_code() == 128 + SIGTERM);
  for (const char* what :
       {"the handler of SIGINT", "the handler of SIGTERM", "the umask", "the working directory"}) {
    CHECK_THAT(fit.error(), Contains("[hook_changes_process] changed " + std::string(what)));
  }
  struct stat info {};
  REQUIRE(stat(user.here("run/checkpoints/last.ckpt").c_str(), &info) == 0);
  CHECK((info.st_mode & 0022) == 0);
}

TEST_CASE("of a training that a plugin forks one is left, and the plugin is named") {
  const UserOf user("hook_forks");
  const ProcessResult fit = user.fit(2, {"--run-dir", "run"});
  CHECK(fit.exit_code == 0);
  CHECK(count(fit.error, "plugin 'hook_forks' 0.1.0 forked the process in on_train_batch_end") ==
        1);
  for (const auto& entry : fs::directory_iterator(user.here("run/checkpoints"))) {
    CHECK_THAT(entry.path().filename().string(), !Contains("-v1"));
  }
  CHECK_THAT(user.run({"plugin", "list"}).output, !Contains("crashed"));
}

TEST_CASE("a crash in a child that a plugin forked is none of the training") {
  const UserOf user("hook_forks_to_crash");
  const ProcessResult fit = user.fit(1);
  CHECK(fit.exit_code == 0);
  CHECK_THAT(fit.error, !Contains("crashed"));
  CHECK_THAT(user.run({"plugin", "list"}).output, !Contains("crashed"));
}

TEST_CASE("a process that a thread or the C library ends has ended no training") {
  for (const auto& [plugin, who] :
       {std::pair{"thread_exits",
                  "plugin 'thread_exits' 0.1.0 ended the process (exit(0)) on a thread of its own"},
        std::pair{"hook_err_exits", "plugin 'hook_err_exits' 0.1.0 ended the process (exit(0))"}}) {
    INFO(plugin);
    const UserOf user(plugin);
    const ProcessResult fit = user.run({"fit", "--json", "--set", "trainer.max_epochs=100000"});
    CHECK(fit.exit_code == 1);
    CHECK(fit.output.empty());
    CHECK_THAT(fit.error, Contains(who));
  }
}

TEST_CASE("a plugin that takes much of the time is told at the end, without a profiler") {
  const UserOf user("hook_sleeps");
  const ProcessResult fit = user.fit(3, {"--json", "--quiet"});
  CHECK(fit.exit_code == 0);
  CHECK(count(fit.error, "plugin 'hook_sleeps' 0.1.0 took ") == 1);
  CHECK_THAT(fit.error, Contains("% of the run, ") &&
                            Contains("most of it in on_train_batch_end (30 calls of 1"));
}

TEST_CASE("plugins that cost little aren't told") {
  Trainee user;
  for (const char* plugin : {"nan_guard", "ema", "grad_norm"}) {
    user.drop_in(plugin);
    user.run({"plugin", "enable", plugin});
  }
  const ProcessResult fit = user.fit(3);
  CHECK(fit.exit_code == 0);
  CHECK_THAT(fit.error, !Contains("of the run, "));
}

TEST_CASE("a function of a plugin that hangs is named after a Ctrl-C, whichever it is") {
  const struct {
    const char* plugin;
    const char* function;
  } cases[] = {
      {"create_hangs", "create"}, {"destroy_hangs", "destroy"}, {"state_save_hangs", "state.save"}};
  for (const auto& each : cases) {
    INFO(each.plugin);
    Trainee user;
    user.drop_in(each.plugin);
    Running fit(user, {"fit", "--plugin", each.plugin, "--set", "trainer.max_epochs=1"},
                {.name = each.plugin});
    const auto says = [&](const std::string& text) {
      for (int i = 0; i < 3000 && !fit.has_ended(); ++i) {
        if (fit.error().find(text) != std::string::npos) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      return fit.error().find(text) != std::string::npos;
    };
    REQUIRE(says("hangs now"));
    fit.signal(SIGINT);
    CHECK(says(std::string("waiting for plugin '") + each.plugin + "' in " + each.function));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // no repetition of the first
    fit.signal(SIGINT);
    CHECK(WIFSIGNALED(fit.wait()));
  }
}

TEST_CASE("a limit of time that a training is started with ends it") {
  const Trainee user;
  Running fit(user, {"fit", "--set", "trainer.max_epochs=100000"});
  REQUIRE(fit.until_exists(user.here("runs/mlp-digits-0/run.json")));
  fit.signal(SIGALRM);  // as `perl -e 'alarm 60; exec @ARGV'` has it sent
  const int status = fit.wait();
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGALRM);
}

}  // namespace process_test
