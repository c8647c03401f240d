// A run that goes on from its checkpoint ends with the same bits as one that was never stopped.
#include "trainee.h"

namespace resume_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

fs::path last_of(const Trainee& user, const std::string& run) {
  return user.here(fs::path("runs") / run / "checkpoints/last.ckpt");
}

// Two epochs, then on to four, is the same as four at once.
void check_resume(const Trainee& user, const Arguments& more = {}) {
  user.fit_json(4, more);
  user.fit_json(2, more);
  CHECK(tensors_of(last_of(user, "mlp-digits-0")) != tensors_of(last_of(user, "mlp-digits-1")));
  Arguments resumed = more;
  resumed.insert(resumed.end(), {"--run-dir", "runs/mlp-digits-1", "--ckpt", "last"});
  const ConfigValue answer = user.fit_json(4, resumed);
  CHECK(answer.at("global_step").as_int() == 40);
  CHECK(answer.at("run_directory").as_string() == "runs/mlp-digits-1");
  const auto whole = tensors_of(last_of(user, "mlp-digits-0"));
  CHECK(!whole.empty());
  CHECK(tensors_of(last_of(user, "mlp-digits-1")) == whole);
  CHECK(!fs::exists(user.here("runs/mlp-digits-2")));
}

}  // namespace

TEST_CASE("two epochs and two more after a resume equal four, bit by bit") {
  const Trainee user;
  check_resume(user, {"--set", "model.name=mlp", "--set", "model.dropout=0.2"});
  // The table of metrics is that of one run, too.
  CHECK(read_file(user.here("runs/mlp-digits-1/metrics.csv")) ==
        read_file(user.here("runs/mlp-digits-0/metrics.csv")));
}

TEST_CASE("a plugin's average continues after a resume, bit by bit") {
  const Trainee user;
  user.drop_in("ema");
  user.run({"plugin", "enable", "ema"});
  check_resume(user, {"--set", "callbacks.ema.decay=0.9"});
}

TEST_CASE("--ckpt last without --run-dir resumes the latest run with its configuration") {
  const Trainee user;
  user.fit_json(1, {"--set", "model.name=mlp", "--set", "model.hidden=[7]"});
  const ProcessResult result =
      user.run({"fit", "--ckpt", "last", "--set", "trainer.max_epochs=2", "--json"});
  INFO(result.error);
  REQUIRE(result.exit_code == 0);
  CHECK(parse_json(result.output, "answer").at("run_directory").as_string() == "runs/mlp-digits-0");
  CHECK(parse_json(result.output, "answer").at("epoch").as_int() == 2);
}

TEST_CASE("a run is resumed with other loggers, each of which continues its own files") {
  const Trainee user;
  const auto fit = [&](int epochs, const std::string& run, const std::string& loggers,
                       Arguments more = {}) {
    Arguments arguments = {"--run-dir", run, "--set", "loggers=" + loggers};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = user.fit(epochs, arguments);
    INFO(loggers << ": " << result.error);
    REQUIRE(result.exit_code == 0);
    return result.error;
  };
  fit(3, "whole", R"(["csv", "tensorboard"])");
  const std::string rows = read_file(user.here("whole/metrics.csv"));
  const auto is_told = [](const std::string& log, const std::string& logger) {
    return log.find("logged with a " + logger + ", which this run doesn't") != std::string::npos;
  };
  const std::string again[] = {R"(["tensorboard", "csv"])",
                               R"(["json_lines", "csv", "tensorboard"])", R"(["csv"])",
                               R"(["csv", "json_lines"])"};
  for (const std::string& loggers : again) {
    const std::string run = "run" + std::to_string(&loggers - again);
    fit(1, run, R"(["csv", "tensorboard"])");
    const std::string log = fit(3, run, loggers, {"--ckpt", "last"});
    INFO(loggers << ": " << log);
    CHECK(read_file(user.here(run + "/metrics.csv")) == rows);
    CHECK(is_told(log, "TensorBoardLogger") == (loggers.find("tensorboard") == std::string::npos));
  }
  fit(1, "other", R"(["csv"])");
  CHECK(is_told(fit(3, "other", R"(["json_lines"])", {"--ckpt", "last"}), "CSVLogger"));
}

TEST_CASE("a checkpoint of another model is refused before anything is changed") {
  const Trainee user;
  user.fit_json(1);
  const auto before = tensors_of(last_of(user, "mlp-digits-0"));
  const ProcessResult result =
      user.fit(2, {"--ckpt", "last", "--set", "model.name=mlp", "--set", "model.hidden=[5]"});
  CHECK(result.exit_code == 5);
  CHECK_THAT(result.error, Contains("shape"));
  CHECK(tensors_of(last_of(user, "mlp-digits-0")) == before);
}

}  // namespace resume_test
