// The plugin control_file: commands that reach a fit while it runs.
#include "running.h"

namespace control_file_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// A fit that ends only when it is told to.
const Arguments kEndless = {"fit",
                            "--plugin",
                            "control_file",
                            "--run-dir",
                            "run",
                            "--set",
                            "trainer.max_epochs=1000000",
                            "--set",
                            "trainer.limit_train_batches=10",
                            "--set",
                            "callbacks.control_file.interval=0.02"};

}  // namespace

TEST_CASE("control_file passes the lines of the file to the fit that runs, and removes it") {
  const Trainee user;
  user.drop_in("control_file");
  Running run(user, kEndless);
  REQUIRE(run.until_exists(user.here("run/checkpoints")));
  user.write("run/control", "status\nlunch\nsave\nstop\n");
  CHECK(run.exit_code() == 0);
  INFO(run.error());
  CHECK_THAT(run.error(), Contains("control_file") && Contains("train_loss"));
  CHECK_THAT(run.error(), Contains("\"lunch\"; commands are stop, save, evaluate and status"));
  CHECK_THAT(run.error(), Contains("the control file says so"));
  CHECK_FALSE(fs::exists(user.here("run/control")));
}

TEST_CASE("control_file takes a path of the user's, and waits for the end of the last line") {
  const Trainee user;
  user.drop_in("control_file");
  const fs::path file = user.write("commands", "evaluate\nsto");
  Arguments arguments = kEndless;
  arguments.insert(arguments.end(), {"--set", "callbacks.control_file.file=" + file.string()});
  Running run(user, arguments);
  REQUIRE(run.until_exists(user.here("run/checkpoints")));
  CHECK(fs::exists(file));
  user.write("commands.new", "evaluate\nstop\n");
  fs::rename(user.here("commands.new"), file);
  CHECK(run.exit_code() == 0);
  INFO(run.error());
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("control_file's commands wait for a batch, and a large file is left alone") {
  const Trainee user;
  user.drop_in("control_file");
  const fs::path file = user.write("commands", "save\nevaluate\n");  // before the fit
  Arguments arguments = kEndless;
  arguments.insert(arguments.end(), {"--set", "callbacks.control_file.file=" + file.string()});
  Running run(user, arguments);
  REQUIRE(run.until_exists(user.here("run/checkpoints")));
  const std::string large(5000, '\n');
  user.write("commands", large);
  REQUIRE(run.until_says("has more than 4096 bytes"));
  CHECK(read_file(file) == large);
  user.write("commands.new", "stop\n");
  fs::rename(user.here("commands.new"), file);
  CHECK(run.exit_code() == 0);
  INFO(run.error());
  CHECK_THAT(run.error(), Contains("save at step"));
  CHECK_THAT(run.error(), Contains("evaluate at step"));
}

}  // namespace control_file_test
