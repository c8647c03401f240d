// Plugins that end the process: who it was, where, what to do without it, and no success for what wasn't
// done.
#include <algorithm>

#include "running.h"

namespace crash_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// A fit of one epoch with a plugin of tests/hostile.
struct Crash {
  explicit Crash(const std::string& name, const std::string& epochs = "1") : plugin(name) {
    user.drop_in(name);
    user.run({"plugin", "enable", name});
    const Running::Setting named{.name = "first-"};
    Running fit(user, {"fit", "--json", "--set", "trainer.max_epochs=" + epochs}, named);
    status = fit.wait();
    error = fit.error();
    answer = fit.answer();
  }

  std::string line() const {
    const std::size_t start = error.find("grapnel: error: plugin '" + plugin + "'");
    if (start == std::string::npos) return "no line in: " + error;
    return error.substr(start, error.find('\n', start) - start);
  }

  std::string plugin;
  Trainee user;
  int status = 0;
  std::string error;
  std::string answer;
};

}  // namespace

TEST_CASE("a crash in a hook says whose it was, where, and how to train without it") {
  const struct {
    const char* plugin;
    int signal;
    const char* name;
  } cases[] = {{"hook_crashes", SIGSEGV, "SIGSEGV"},
               {"hook_aborts", SIGABRT, "SIGABRT"},
               {"hook_aborts_deaf", SIGABRT, "SIGABRT"},
               {"hook_raises", SIGUSR2, "SIGUSR2"},
               {"hook_ends_thread", SIGABRT, "SIGABRT"}};
  for (const auto& each : cases) {
    INFO(each.plugin);
    const Crash crash(each.plugin);
    CHECK(WIFSIGNALED(crash.status));
    CHECK(WTERMSIG(crash.status) == each.signal);
    CHECK_THAT(crash.line(),
               Contains("0.1.0 crashed (" + std::string(each.name) + ") in on_train_batch_end") &&
                   Contains("batch 0; to run without it: grapnel fit --json --set "
                            "trainer.max_epochs=1 --no-plugin " +
                            std::string(each.plugin)));
    CHECK(crash.answer.empty());
  }
}

TEST_CASE("a command that is too long to be repeated is left out of the line about a crash") {
  Trainee user;
  user.drop_in("hook_crashes");
  user.run({"plugin", "enable", "hook_crashes"});
  Arguments command = {"fit"};
  for (int i = 0; i < 200; ++i) {
    command.insert(command.end(), {"--set", "trainer.max_epochs=1"});
  }
  CHECK_THAT(user.run(command).error,
             Contains("batch 0; to run without it: --no-plugin hook_crashes\n"));
}

TEST_CASE("what a thread of a plugin's own ends is told as the plugin's") {
  const struct {
    const char* plugin;
    int signal;  // 0: an exit with code 1
    const char* what;
  } cases[] = {{"thread_crashes", SIGSEGV, "crashed (SIGSEGV)"},
               {"thread_overflows", SIGSEGV, "crashed (SIGSEGV)"},
               {"thread_aborts", SIGABRT, "crashed (SIGABRT)"},
               {"thread_exits", 0, "ended the process (exit(0))"}};
  for (const auto& each : cases) {
    INFO(each.plugin);
    const Crash crash(each.plugin, "100000");
    if (each.signal == 0) {
      CHECK(WIFEXITED(crash.status));
      CHECK(WEXITSTATUS(crash.status) == 1);
    } else {
      CHECK(WIFSIGNALED(crash.status));
      CHECK(WTERMSIG(crash.status) == each.signal);
    }
    const std::string what = std::string(each.what) + " on a thread of its own";
    CHECK_THAT(crash.line(), Contains("0.1.0 " + what + "; to run without it: grapnel fit"));
    CHECK_THAT(crash.user.run({"plugin", "list"}).output, Contains("it " + what));
  }
}

TEST_CASE("a plugin that ends the process so that nothing sees it is named by the next start") {
  const Crash crash("hook_finds_exit");
  CHECK(WIFEXITED(crash.status));
  CHECK(crash.answer.empty());
  const std::string what =
      "was in its callback 'hook_finds_exit' when the process ended without a word";
  CHECK_THAT(crash.user.run({"plugin", "list"}).output, Contains("it " + what));
  CHECK_THAT(crash.user.run({"fit", "--set", "trainer.max_epochs=1"}).error,
             Contains("plugin 'hook_finds_exit' 0.1.0 " + what) &&
                 Contains("--no-plugin hook_finds_exit"));
  // Between two hooks nobody is to blame.
  CHECK(crash.user.run({"fit", "--set", "trainer.max_epochs=0"}).exit_code == 0);
  CHECK_THAT(crash.user.run({"plugin", "list"}).output, !Contains("without a word"));
}

TEST_CASE("what a killed process noted of its plugins is removed by the next that looks") {
  Trainee user;
  user.drop_in("grad_norm");
  user.run({"plugin", "enable", "grad_norm"});
  Running fit(user, {"fit", "--run-dir", "run", "--set", "trainer.max_epochs=100000"});
  REQUIRE(fit.until_exists(user.here("run/checkpoints/last.ckpt")));
  fit.signal(SIGSTOP);
  fit.signal(SIGKILL);
  fit.wait();
  CHECK(user.run({"plugin", "list"}).exit_code == 0);
  std::size_t notes = 0;
  for (const auto& each : std::filesystem::recursive_directory_iterator(user.directories.cache)) {
    notes += each.path().filename().string().starts_with(".running-") ? 1 : 0;
  }
  CHECK(notes == 0);
}

TEST_CASE("a signal that another process sends while a hook runs is no crash of the plugin") {
  Trainee user;
  user.drop_in("hook_hangs");
  user.run({"plugin", "enable", "hook_hangs"});
  Running fit(user, {"fit", "--set", "trainer.max_epochs=1"});
  for (int i = 0; i < 3000 && !fit.has_ended(); ++i) {
    if (fit.error().find("hook_hangs: from here on") != std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  fit.signal(SIGUSR2);
  const int status = fit.wait();
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGUSR2);
  CHECK_THAT(fit.error(), !Contains("crashed"));
  CHECK_THAT(user.run({"plugin", "list"}).output, !Contains("crashed"));
}

TEST_CASE("a plugin that ends the process in a hook has ended no training") {
  for (const auto& [plugin, how] :
       {std::pair{"hook_exits", "exit(0)"}, std::pair{"hook_exits_at_once", "_exit(0)"},
        std::pair{"hook_calls_exit", "the system call exit_group(0)"}}) {
    INFO(plugin);
    const Crash crash(plugin);
    REQUIRE(WIFEXITED(crash.status));
    CHECK(WEXITSTATUS(crash.status) == 1);
    CHECK_THAT(crash.line(),
               Contains("ended the process (" + std::string(how) + ") in on_train_batch_end"));
    CHECK(crash.answer.empty());
  }
}

TEST_CASE("a plugin that replaces the process by another program has ended no training") {
  const Crash crash("hook_execs");
  REQUIRE(WIFEXITED(crash.status));
  CHECK(WEXITSTATUS(crash.status) == 1);
  CHECK_THAT(crash.line(),
             Contains("replaced the process by another program (execlp) in on_train_batch_end"));
}

TEST_CASE("the next start and the list name the suspect, until a run with it ends normally") {
  const Crash crash("hook_crashes");
  const ProcessResult list = crash.user.run({"plugin", "list"});
  CHECK_THAT(list.output, Contains("it crashed (SIGSEGV) in on_train_batch_end"));
  const auto fit = [&] { return crash.user.run({"fit", "--set", "trainer.max_epochs=1"}); };
  CHECK_THAT(fit().error, Contains("plugin 'hook_crashes' 0.1.0 crashed (SIGSEGV)") &&
                              !Contains("--ckpt last"));  // there is nothing to resume
  CHECK(crash.user.fit(1, {"--no-plugin", "hook_crashes"}).exit_code == 0);
  const ProcessResult next = fit();
  CHECK(next.end == ProcessResult::End::signalled);
  CHECK_THAT(next.error, Contains("plugin 'hook_crashes' 0.1.0 crashed (SIGSEGV)") &&
                             Contains("--no-plugin hook_crashes") && Contains("--ckpt last"));
  const ProcessResult without =
      crash.user.run({"fit", "--set", "trainer.max_epochs=1", "--no-plugin", "hook_crashes"});
  CHECK(without.exit_code == 0);
  CHECK_THAT(without.error, !Contains("crashed"));
  // A run without its batches ends normally.
  CHECK(crash.user.run({"fit", "--set", "trainer.max_epochs=0"}).exit_code == 0);
  CHECK_THAT(crash.user.run({"plugin", "list"}).output, !Contains("crashed"));
}

TEST_CASE("a later run that fails without a crash takes back what is said of one") {
  Trainee user;
  for (const char* plugin : {"hook_fails", "hook_crashes"}) {
    user.drop_in(plugin);
    user.run({"plugin", "enable", plugin});
  }
  const std::string said = "it crashed (SIGSEGV)";
  CHECK(user.fit(1, {"--no-plugin", "hook_fails"}).end == ProcessResult::End::signalled);
  CHECK_THAT(user.run({"plugin", "list"}).output, Contains(said));
  // It runs, but its hook isn't called yet when the other's fails.
  const ProcessResult fit =
      user.fit(1, {"--set", R"(callbacks.hook_crashes.every={"steps": 1000})"});
  CHECK(fit.exit_code == 1);
  CHECK_THAT(fit.error, Contains("I don't like this batch"));
  CHECK_THAT(user.run({"plugin", "list"}).output, !Contains(said));
}

TEST_CASE("a plugin's destructors cannot spoil a finished training") {
  for (const char* plugin : {"destructor_crashes", "destructor_hangs"}) {
    INFO(plugin);
    const Crash crash(plugin);
    REQUIRE(WIFEXITED(crash.status));
    CHECK(WEXITSTATUS(crash.status) == 0);
    CHECK(parse_json(crash.answer, "answer").at("epoch").as_int() == 1);
  }
}

TEST_CASE("a hook that hangs is named after the first Ctrl-C, and the second ends the process") {
  Trainee user;
  user.drop_in("hook_hangs");
  user.run({"plugin", "enable", "hook_hangs"});
  Running fit(user, {"fit", "--set", "trainer.max_epochs=1"});
  const auto says = [&](const std::string& text) {
    for (int i = 0; i < 3000 && !fit.has_ended(); ++i) {
      if (fit.error().find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return fit.error().find(text) != std::string::npos;
  };
  REQUIRE(says("hook_hangs: from here on"));
  fit.signal(SIGINT);
  CHECK(says("waiting for plugin 'hook_hangs' in on_train_batch_end"));
  fit.signal(SIGINT);
  const int status = fit.wait();
  CHECK(WIFSIGNALED(status));
}

}  // namespace crash_test
