// Signals to a real process: it ends in an orderly way, with 128 + the signal's number, and what it leaves
// is enough to go on and end with the same bits.
#include <algorithm>

#include "running.h"

namespace interrupt_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// A training that would take hours, a step at a time, so that a signal comes in the middle of it.
const Arguments kLong = {"fit", "--json", "--set", "trainer.max_epochs=100000"};

fs::path last_of(const Trainee& user) {
  return user.here("runs/mlp-digits-0/checkpoints/last.ckpt");
}

}  // namespace

TEST_CASE("SIGINT and SIGTERM end a training with a checkpoint, a summary and 128 + the number") {
  for (const int number : {SIGINT, SIGTERM}) {
    const Trainee user;
    Running fit(user, kLong);
    REQUIRE(fit.until_exists(last_of(user)));
    fit.signal(number);
    const int status = fit.wait();
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + number);
    const ConfigValue answer = parse_json(fit.answer(), "answer");
    CHECK_THAT(answer.at("stop_reason").as_string(), Contains("interrupted by SIG"));
    const std::int64_t steps = answer.at("global_step").as_int();
    const CheckpointFile last = CheckpointFile::open(last_of(user));
    CHECK(last.document().at("checkpoint").at("global_step").as_int() == steps);
  }
}

TEST_CASE("an interrupted and resumed run ends with the bits of an uninterrupted one") {
  const Trainee user;
  std::int64_t steps = 0;
  {
    Running fit(user, kLong);
    REQUIRE(fit.until_exists(last_of(user)));
    fit.signal(SIGINT);
    fit.wait();
    steps = parse_json(fit.answer(), "answer").at("global_step").as_int();
  }
  const std::string until = "trainer.max_steps=" + std::to_string(steps + 20);
  const auto finish = [&](const Arguments& more) {
    Arguments arguments = {"fit", "--set", until, "--set", "trainer.max_epochs=100000"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = user.run(arguments);
    INFO(result.error);
    REQUIRE(result.exit_code == 0);
  };
  finish({"--run-dir", "runs/mlp-digits-0", "--ckpt", "last"});
  finish({"--run-dir", "whole"});
  const auto whole = tensors_of(user.here("whole/checkpoints/last.ckpt"));
  CHECK(!whole.empty());
  CHECK(tensors_of(last_of(user)) == whole);
}

TEST_CASE("SIGHUP, SIGUSR1 and SIGXCPU save and end a training, and may come several times") {
  for (const int number : {SIGHUP, SIGUSR1, SIGXCPU}) {
    const Trainee user;
    Running fit(user, kLong);
    REQUIRE(fit.until_exists(last_of(user)));
    for (int i = 0; i < 3; ++i) fit.signal(number);
    CHECK(fit.exit_code() == 128 + number);
    const ConfigValue answer = parse_json(fit.answer(), "answer");
    const CheckpointFile last = CheckpointFile::open(last_of(user));
    CHECK(last.document().at("checkpoint").at("global_step") == answer.at("global_step"));
  }
}

TEST_CASE("a signal that was ignored when the program was started stays ignored") {
  for (const int number : {SIGINT, SIGHUP}) {
    const Trainee user;
    Running fit(user, kLong, {.ignored = {number}});
    REQUIRE(fit.until_exists(last_of(user)));
    fit.signal(number);
    fs::remove(last_of(user));
    CHECK(fit.until_exists(last_of(user)));  // it goes on to the next epoch's end
    fit.signal(SIGTERM);
    CHECK(fit.exit_code() == 128 + SIGTERM);
  }
}

TEST_CASE("a signal while a training starts ends it in order, and leaves no run directory") {
  const Trainee user;
  // A plugin that takes its time to be created is what a start waits for.
  user.drop_in("create_waits");
  Running fit(user, {"fit", "--plugin", "create_waits"});
  REQUIRE(fit.until_exists(user.here("create_waits.started")));
  fit.signal(SIGTERM);
  user.write("create_waits.go", "");
  CHECK(fit.exit_code() == 128 + SIGTERM);
  CHECK_THAT(fit.error(), Contains("interrupted by SIGTERM"));
  CHECK(!fs::exists(user.here("runs")));
}

TEST_CASE("Slurm's warning saves, and queues the job again") {
  const Trainee user;
  const fs::path scontrol = user.write("bin/scontrol", "#!/bin/sh\necho \"$@\" > requeued\n");
  fs::permissions(scontrol, fs::perms::owner_all);
  const std::string path = scontrol.parent_path().string() + ":/usr/bin:/bin";
  const auto requeued = [&](const Variables& job, int number) {
    fs::remove(user.here("requeued"));
    fs::remove_all(user.here("runs"));
    Variables variables = {{"PATH", path}};
    variables.insert(variables.end(), job.begin(), job.end());
    Running fit(user, kLong, {.variables = variables});
    REQUIRE(fit.until_exists(last_of(user)));
    fit.signal(number);
    CHECK(fit.exit_code() == 128 + number);
    const std::int64_t steps = parse_json(fit.answer(), "answer").at("global_step").as_int();
    const CheckpointFile last = CheckpointFile::open(last_of(user));
    CHECK(last.document().at("checkpoint").at("global_step").as_int() == steps);
    return fs::exists(user.here("requeued")) ? read_file(user.here("requeued")) : "";
  };
  CHECK(requeued({{"SLURM_JOB_ID", "4711"}}, SIGUSR1) == "requeue 4711\n");
  CHECK(requeued({{"SLURM_JOB_ID", "9"}, {"SLURM_ARRAY_JOB_ID", "7"}, {"SLURM_ARRAY_TASK_ID", "3"}},
                 SIGUSR1) == "requeue 7_3\n");
  CHECK(requeued({{"SLURM_JOB_ID", "4711"}}, SIGTERM).empty());
  CHECK(requeued({{"SLURM_JOB_ID", "4711"}, {"SLURM_JOB_NAME", "bash"}}, SIGUSR1).empty());
  CHECK(requeued({{"SLURM_JOB_ID", "4711"}, {"SLURM_PROCID", "1"}}, SIGUSR1).empty());
  CHECK(requeued({}, SIGUSR1).empty());
}

TEST_CASE("a Slurm job that can't be queued again is told, and the training is saved") {
  const Trainee user;
  Running fit(user, kLong, {.variables = {{"SLURM_JOB_ID", "4711"}, {"PATH", "/nowhere"}}});
  REQUIRE(fit.until_exists(last_of(user)));
  fit.signal(SIGUSR1);
  CHECK(fit.exit_code() == 128 + SIGUSR1);
  CHECK_THAT(fit.error(), Contains("the Slurm job 4711 was not requeued: there is no scontrol"));
}

TEST_CASE("a requeued job's command with --ckpt auto begins the run, and then resumes it") {
  const Trainee user;
  const auto fit = [&](int epochs) {
    return user.fit_json(epochs, {"--run-dir", "job", "--ckpt", "auto"});
  };
  CHECK(fit(1).at("global_step").as_int() == 10);
  CHECK(fit(2).at("global_step").as_int() == 20);
  CHECK_THAT(read_file(user.here("job/metrics.csv")), Contains("\n1,"));
  const ProcessResult without = user.fit(1, {"--ckpt", "auto"});
  CHECK(without.exit_code == 3);
  CHECK_THAT(without.error, Contains("--ckpt auto needs --run-dir"));
}

// As `timeout` sends it: to the process, and to its group.
TEST_CASE("a signal that is sent twice at once saves, as one does") {
  const auto saves = [](int number) {
    const Trainee user;
    Running fit(user, kLong);
    REQUIRE(fit.until_exists(last_of(user)));
    fit.signal(number);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // so that both are delivered
    fit.signal(number);
    return fit.exit_code() == 128 + number;
  };
  for (const int number : {SIGINT, SIGTERM}) {
    int saved = 0;
    for (int i = 0; i < 4; ++i) saved += saves(number) ? 1 : 0;
    // A machine with much else to do may stop the process between them for longer than a moment.
    CHECK(saved >= 3);
  }
}

TEST_CASE("a second SIGINT, some time after the first, ends the process at once") {
  const Trainee user;
  // A hook that waits for a file, for ever.
  user.drop_in("create_waits");
  Running fit(user, {"fit", "--plugin", "create_waits"});
  REQUIRE(fit.until_exists(user.here("create_waits.started")));
  const auto signal_and_wait = [&] {
    fit.signal(SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
  };
  signal_and_wait();
  CHECK(!fit.has_ended());
  for (int i = 0; i < 50 && !fit.has_ended(); ++i) signal_and_wait();
  const int status = fit.wait();
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
}

}  // namespace interrupt_test
