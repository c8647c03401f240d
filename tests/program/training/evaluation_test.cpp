// grapnel validate, test, predict: on the best checkpoint of the latest run unless told otherwise.
#include <algorithm>
#include <sstream>

#include <grapnel/base/safetensors.h>

#include "trainee.h"

namespace evaluation_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

TEST_CASE("grapnel validate finds the latest run, its model and its weights") {
  const Trainee user;
  const ConfigValue trained =
      user.fit_json(2, {"--set", "model.name=mlp", "--set", "model.hidden=[12]"});
  const ConfigValue answer = user.json({"validate"});
  CHECK(answer.at("metrics").at("val_loss").as_double() ==
        Approx(trained.at("metrics").at("val_loss").as_double()));
  CHECK(answer.at("run_directory").as_string() == "runs/mlp-digits-0");
  CHECK(!fs::exists(user.here("runs/mlp-digits-1")));
}

TEST_CASE("grapnel test prints its metrics as a table and as JSON") {
  const Trainee user;
  user.fit_json(3);
  const ProcessResult text = user.run({"test"});
  INFO(text.error);
  CHECK(text.exit_code == 0);
  CHECK_THAT(text.output, Contains("test_acc") && Contains("checkpoint"));
  CHECK(user.json({"test", "--ckpt", "last"}).at("metrics").contains("test_loss"));
}

TEST_CASE("--ckpt best is the checkpoint that the run remembers, --ckpt last the newest") {
  const Trainee user;
  user.fit_json(3, {"--set", "callbacks.model_checkpoint.monitor=val_loss", "--set",
                    "callbacks.model_checkpoint.mode=max"});
  const ConfigValue best = user.json({"validate", "--ckpt", "best"});
  const ConfigValue last = user.json({"validate", "--ckpt", "last"});
  CHECK(best.at("epoch").as_int() < last.at("epoch").as_int());
  CHECK(best.at("metrics").at("val_loss").as_double() >
        last.at("metrics").at("val_loss").as_double());
}

TEST_CASE("grapnel predict writes one row per sample, or tensors") {
  const Trainee user;
  user.fit_json(1);
  const ProcessResult result = user.run({"predict"});
  INFO(result.error);
  REQUIRE(result.exit_code == 0);
  const std::string table = read_file(user.here("runs/mlp-digits-0/predictions.csv"));
  CHECK_THAT(table, Catch::StartsWith("index,prediction_0,prediction_1,"));
  CHECK(std::count(table.begin(), table.end(), '\n') == 1 + 180);

  const ConfigValue answer = user.json({"predict", "--output", "out/p.safetensors"});
  CHECK(answer.at("predictions").as_string() == "out/p.safetensors");
  const SafetensorsFile file = SafetensorsFile::open(user.here("out/p.safetensors"));
  REQUIRE(file.find("prediction") != nullptr);
  CHECK(file.find("prediction")->shape == std::vector<std::int64_t>{180, 10});

  const ProcessResult wrong = user.run({"predict", "--output", "p.txt"});
  CHECK(wrong.exit_code == 2);
  CHECK_THAT(wrong.error, Contains("must end in .csv or .safetensors"));
}

}  // namespace evaluation_test
