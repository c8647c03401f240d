// What a hook changes in the process or in its thread is undone and named, in whichever call it happens.
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include <grapnel/bridge/process_state_claim.h>

#include "../../host/bridge/src/floating_point.h"
#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace process_watch_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

void on_signal(int) {}

bridge::PluginCallbackOptions without_libtorch() {
  bridge::PluginCallbackOptions options;
  options.links_libtorch = false;
  return options;
}

mode_t current_umask() {
  const mode_t mask = umask(022);
  umask(mask);
  return mask;
}

bool is_blocked(int signal) {
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  return sigismember(&blocked, signal) == 1;
}

using Handler = void (*)(int);

Handler handler_of(int signal) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler;
}

rlimit open_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit;
}

struct Change {
  const char* name;  // in the warning
  std::function<void()> make;
  std::function<bool()> is_undone;
};

std::vector<Change> changes(const TempDir& elsewhere) {
  const auto directory = std::filesystem::current_path();
  const mode_t mask = current_umask();
  const Handler usr1 = handler_of(SIGUSR1);
  const Handler term = handler_of(SIGTERM);
  return {
      {"the handler of SIGUSR1", [] { std::signal(SIGUSR1, on_signal); },
       [=] { return handler_of(SIGUSR1) == usr1; }},
      {"the handler of SIGTERM", [] { std::signal(SIGTERM, SIG_IGN); },
       [=] { return handler_of(SIGTERM) == term; }},
      {"the umask", [] { umask(0); }, [=] { return current_umask() == mask; }},
      {"the limit of open files",
       [] {
         rlimit few = open_files();
         few.rlim_cur = 20;
         setrlimit(RLIMIT_NOFILE, &few);
       },
       [files = open_files().rlim_cur] { return open_files().rlim_cur == files; }},
      {"the working directory", [&] { std::filesystem::current_path(elsewhere.path()); },
       [=] { return std::filesystem::current_path() == directory; }},
      {"the blocked signals",
       [] {
         sigset_t terminate;
         sigemptyset(&terminate);
         sigaddset(&terminate, SIGTERM);
         pthread_sigmask(SIG_BLOCK, &terminate, nullptr);
       },
       [] { return !is_blocked(SIGTERM); }},
      {"the locale of the training thread",
       [] {
         static const locale_t own = newlocale(LC_ALL_MASK, "C.UTF-8", locale_t{});
         uselocale(own);
       },
       [] { return uselocale(locale_t{}) == LC_GLOBAL_LOCALE; }},
  };
}

void flush_denormals() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

}  // namespace

TEST_CASE("what a hook outside of batches changes is undone when it returns") {
  const TempDir elsewhere;
  for (const Change& change : changes(elsewhere)) {
    for (const Hook hook : {Hook::setup, Hook::on_train_start, Hook::on_validation_end,
                            Hook::on_train_epoch_end, Hook::on_run_end}) {
      INFO(change.name);
      INFO(kHookNames[static_cast<std::size_t>(hook)]);
      CapturedLog log;
      InProcessPlugin plugin;
      plugin.on(hook, [&](const Caller&, const grapnel_Event*) {
        change.make();
        return GRAPNEL_OK;
      });
      Toy toy;
      toy.fit({plugin.handle(without_libtorch())});
      CHECK(change.is_undone());
      CHECK(log.count(std::string("[probe] changed ") + change.name) == 1);
      CHECK(log.count("which belongs to the whole process; restored") >= 1);
    }
  }
}

TEST_CASE("an environment variable that a hook sets is removed, and one that it changes put back") {
  setenv("GRAPNEL_TEST_CHANGED", "before", 1);
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller&, const grapnel_Event*) {
    setenv("GRAPNEL_TEST_CHANGED", "after", 1);
    setenv("GRAPNEL_TEST_ADDED", "after", 1);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle(without_libtorch())});
  CHECK(std::string(getenv("GRAPNEL_TEST_CHANGED")) == "before");
  CHECK(getenv("GRAPNEL_TEST_ADDED") == nullptr);
  CHECK(log.count("[probe] changed the environment variable GRAPNEL_TEST_") == 2);
  unsetenv("GRAPNEL_TEST_CHANGED");
}

TEST_CASE("what the first batch of an epoch changes is undone when its hook returns") {
  const TempDir elsewhere;
  for (const Change& change : changes(elsewhere)) {
    for (const int epoch : {0, 1}) {
      INFO(change.name);
      INFO(epoch);
      CapturedLog log;
      InProcessPlugin plugin;
      int calls = 0;
      plugin.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event*) {
        if (calls++ == 4 * epoch) change.make();
        return GRAPNEL_OK;
      });
      Toy toy;
      toy.options.max_epochs = 2;
      bool was_undone = true;
      toy.module.during_step = [&](const std::string&, Batch&) {
        was_undone = was_undone && change.is_undone();
      };
      toy.fit({plugin.handle(without_libtorch())});
      CHECK(calls == 8);
      CHECK(was_undone);
      CHECK(change.is_undone());
      CHECK(log.count(std::string("[probe] changed ") + change.name) == 1);
    }
  }
}

TEST_CASE("inside of a claim, what any batch changes is undone by the end of the run") {
  const TempDir elsewhere;
  for (const Change& change : changes(elsewhere)) {
    INFO(change.name);
    CapturedLog log;
    InProcessPlugin plugin;
    int calls = 0;
    plugin.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event*) {
      if (calls++ == 2) change.make();
      return GRAPNEL_OK;
    });
    Toy toy;
    {
      const bridge::ProcessStateClaim claim;
      toy.fit({plugin.handle(without_libtorch())});
    }
    CHECK(change.is_undone());
    CHECK(log.count(std::string("[probe] changed ") + change.name) == 1);
  }
}

TEST_CASE(
    "inside of a claim, a standard stream that a hook closes or replaces is back when it returns") {
  struct stat before {};
  REQUIRE(fstat(STDERR_FILENO, &before) == 0);
  for (const bool closes : {true, false}) {
    INFO(closes);
    CapturedLog log;
    InProcessPlugin plugin;
    plugin.on(Hook::on_train_start, [&](const Caller&, const grapnel_Event*) {
      const int null = open("/dev/null", O_WRONLY);
      if (closes) {
        close(STDERR_FILENO);
      } else {
        dup2(null, STDERR_FILENO);
      }
      close(null);
      return GRAPNEL_OK;
    });
    Toy toy;
    {
      const bridge::ProcessStateClaim claim;
      toy.fit({plugin.handle(without_libtorch())});
    }
    struct stat after {};
    REQUIRE(fstat(STDERR_FILENO, &after) == 0);
    CHECK(after.st_dev == before.st_dev);
    CHECK(after.st_ino == before.st_ino);
    CHECK(log.count("[probe] changed standard error in on_train_start") == 1);
  }
}

TEST_CASE("inside of a claim, several plugins that may have changed something are all named") {
  CapturedLog log;
  InProcessPlugin first;
  InProcessPlugin second("{}", "1.0.0", "other");
  const mode_t mask = current_umask();
  int calls = 0;
  first.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event*) {
    if (calls++ == 1) umask(0);
    return GRAPNEL_OK;
  });
  second.on(Hook::on_train_batch_end,
            [](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; });
  Toy toy;
  {
    const bridge::ProcessStateClaim claim;
    toy.fit({first.handle(without_libtorch()), second.handle(without_libtorch())});
  }
  CHECK(current_umask() == mask);
  CHECK(log.count("one of the plugins 'other' and 'probe' changed the umask") == 1);
}

TEST_CASE("the program's own changes during a run stay, and no plugin is blamed for them") {
  const mode_t mask = current_umask();
  CapturedLog log;
  InProcessPlugin plugin;
  for (const Hook hook : {Hook::on_train_start, Hook::on_train_batch_end, Hook::on_train_end}) {
    plugin.on(hook, [](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; });
  }
  Toy toy;
  toy.module.during_step = [&](const std::string&, Batch&) {
    umask(027);
    setenv("GRAPNEL_TEST_ADDED", "by the program", 1);
  };
  toy.fit({plugin.handle(without_libtorch())});
  CHECK(current_umask() == 027);
  CHECK(std::string(getenv("GRAPNEL_TEST_ADDED")) == "by the program");
  CHECK(log.count("changed") == 0);
  umask(mask);
  unsetenv("GRAPNEL_TEST_ADDED");
}

#if defined(__x86_64__)

TEST_CASE("denormals that any batch's hook flushes are back before the next line of the training") {
  for (const int at : {0, 1, 3, 5, 7}) {
    INFO(at);
    CapturedLog log;
    InProcessPlugin plugin;
    int calls = 0;
    plugin.on(Hook::on_train_batch_start, [&](const Caller&, const grapnel_Event*) {
      if (calls++ == at) flush_denormals();
      return GRAPNEL_OK;
    });
    const auto before = bridge::FloatingPoint::current();
    Toy toy;
    toy.options.max_epochs = 2;
    bool was_back = true;
    toy.module.during_step = [&](const std::string&, Batch&) {
      was_back = was_back && bridge::FloatingPoint::current() == before;
    };
    toy.fit({plugin.handle(without_libtorch())});
    CHECK(calls == 8);
    CHECK(was_back);
    CHECK(log.count("[probe] changed the floating-point environment") == 1);
  }
}

TEST_CASE("the program may flush denormals between the making of a plugin, runs and epochs") {
  const auto before = bridge::FloatingPoint::current();
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end,
            [](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; });
  const CallbackHandle handle = plugin.handle(without_libtorch());
  flush_denormals();
  const auto flushing = bridge::FloatingPoint::current();
  Toy toy;
  toy.fit({handle});
  CHECK(bridge::FloatingPoint::current() == flushing);
  before.apply();
  toy.fit({handle});
  CHECK(bridge::FloatingPoint::current() == before);
  CHECK(log.count("changed") == 0);
}

#endif

TEST_CASE("a fork that returns from a hook ends in the child, and the parent's run continues") {
  int report[2];
  REQUIRE(pipe(report) == 0);
  const pid_t test = getpid();
  pid_t child = -1;
  InProcessPlugin plugin;
  const bool by_hand = GENERATE(false, true);  // around the C library
  plugin.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event*) {
    if (child != -1) return GRAPNEL_OK;
    child = by_hand ? static_cast<pid_t>(syscall(SYS_fork)) : fork();
    if (child == 0) dup2(report[1], STDERR_FILENO);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle(without_libtorch())});
  if (getpid() != test) std::_Exit(77);  // the child must not come here
  close(report[1]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  std::string text(1000, '\0');
  const ssize_t size = read(report[0], text.data(), text.size());
  close(report[0]);
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  CHECK_THAT(text,
             Catch::Contains("plugin 'probe' 1.2.3 forked the process in on_train_batch_end"));
  CHECK(toy.trainer->global_step() == 4);
}

TEST_CASE("a fork whose child runs another program is the plugin's own business") {
  CapturedLog log;
  int status = -1;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [&](const Caller&, const grapnel_Event*) {
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/sh", "sh", "-c", "exit 7", nullptr);
      std::_Exit(77);
    }
    waitpid(child, &status, 0);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle(without_libtorch())});
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("the time of hooks is known without a profiler, and a slow first call weighs as one") {
  InProcessPlugin plugin;
  int calls = 0;
  plugin.on(Hook::on_train_batch_start, [&](const Caller&, const grapnel_Event*) {
    if (calls++ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_train_batch_end, [](const Caller&, const grapnel_Event*) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return GRAPNEL_OK;
  });
  const auto callback = plugin.make(without_libtorch());
  Toy toy;
  toy.train = std::make_shared<ToyLoader>(40);
  toy.fit({as_plugin(callback)});
  const auto times = callback->hook_times();
  REQUIRE(times.size() == 2);
  CHECK(times[0].hook == "on_train_batch_start");
  CHECK(times[0].calls == 40);
  CHECK(times[0].seconds >= 0.05);
  CHECK(times[0].seconds < 40 * 0.05);
  CHECK(times[1].hook == "on_train_batch_end");
  CHECK(times[1].calls == 40);
  CHECK(times[1].seconds >= 40 * 0.002);
}

TEST_CASE("a call of a hook that was held up once doesn't stand for those that weren't looked at") {
  constexpr int kBatches = 200;
  InProcessPlugin plugin;
  int calls = 0;
  plugin.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event*) {
    const bool is_third_epoch = calls++ == 2 * kBatches;  // whose first call is looked at
    if (is_third_epoch) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return GRAPNEL_OK;
  });
  const auto callback = plugin.make(without_libtorch());
  Toy toy;
  toy.train = std::make_shared<ToyLoader>(kBatches);
  toy.options.max_epochs = 3;
  toy.fit({as_plugin(callback)});
  const auto times = callback->hook_times();
  REQUIRE(times.size() == 1);
  CHECK(times[0].calls == 3 * kBatches);
  CHECK(times[0].seconds >= 0.2);
  CHECK(times[0].seconds < 0.2 * kBatches / 2);
}

}  // namespace process_watch_test
