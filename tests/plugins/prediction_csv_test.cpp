// prediction_csv in real evaluations.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "captured_log.h"
#include "catch.h"
#include "shipped_plugin.h"

namespace prediction_csv_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Gives back the batch's "y" in validation, its "x" in a prediction, and nothing in a test.
class Echo final : public ToyModule {
 public:
  StepOutput validation_step(Batch& batch, std::int64_t, std::int64_t) override {
    StepOutput output;
    output.extras = {{"other", batch[0]}, {"predictions", batch[1].mul(2)}};
    return output;
  }
  StepOutput test_step(Batch&, std::int64_t, std::int64_t) override { return {}; }
  TensorTree predict_step(Batch& batch, std::int64_t index, std::int64_t) override {
    return {predicted ? predicted(index) : batch[0]};
  }
  std::function<at::Tensor(std::int64_t batch_idx)> predicted;
};

struct Evaluation {
  explicit Evaluation(const std::string& parameters = "{}")
      : trainer(options(), plugin(parameters)) {}
  TrainerOptions options() const {
    TrainerOptions made = quiet(1);
    made.default_root_dir = directory.path();
    return made;
  }
  static std::vector<CallbackHandle> plugin(const std::string& parameters) {
    return {shipped_plugin("prediction_csv", parameters)};
  }
  Data data() const { return Data(DataLoaders{loader}); }
  bool exists(const char* name) const { return std::filesystem::exists(directory / name); }

  TempDir directory;
  std::shared_ptr<ToyLoader> loader = std::make_shared<ToyLoader>(2);
  Echo module;
  Trainer trainer;
};

std::string first_lines(const std::string& text, int count) {
  std::size_t end = 0;
  while (count-- > 0 && end != text.npos) end = text.find('\n', end + 1);
  return text.substr(0, end);
}

}  // namespace

TEST_CASE(
    "prediction_csv writes a line with its place and values for each sample of a prediction") {
  Evaluation run;
  run.trainer.predict(run.module, run.data());
  const std::string text = read_file(run.directory / "predictions_predict.csv");
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
  char expected[200];
  const at::Tensor& x = run.loader->x;
  std::snprintf(expected, sizeof expected,
                "dataloader,batch,sample,0,1,2\n0,0,0,%.9g,%.9g,%.9g\n0,0,1,",
                x[0][0].item<double>(), x[0][1].item<double>(), x[0][2].item<double>());
  CHECK_THAT(text, Catch::StartsWith(expected));
  CHECK_THAT(text, Catch::Contains("\n0,1,3,"));
  CHECK_FALSE(run.exists("predictions_predict.csv.unfinished"));
}

TEST_CASE("prediction_csv writes validations only if asked, and takes the output by its name") {
  Evaluation without;
  without.trainer.validate(without.module, without.data());
  CHECK_FALSE(without.exists("predictions_val.csv"));

  Evaluation run(R"({"validation": true})");
  run.loader->indices = false;
  run.trainer.validate(run.module, run.data());
  char expected[100];
  std::snprintf(expected, sizeof expected, "dataloader,batch,sample,0\n0,0,,%.9g",
                2 * run.loader->y[0][0].item<float>());
  CHECK(first_lines(read_file(run.directory / "predictions_val.csv"), 2) == expected);
}

TEST_CASE("prediction_csv writes integers whole") {
  Evaluation run;
  run.module.predicted = [](std::int64_t) {
    return at::tensor({std::int64_t{9007199254740993}, std::int64_t{-2000000001}}, at::kLong);
  };
  run.trainer.predict(run.module, run.data());
  CHECK_THAT(read_file(run.directory / "predictions_predict.csv"),
             Catch::Contains("\n0,0,0,9007199254740993\n0,0,1,-2000000001\n"));
}

TEST_CASE("prediction_csv gives all lines the columns of the widest batch") {
  Evaluation run;
  run.module.predicted = [](std::int64_t batch_idx) {
    return at::full({2, batch_idx == 0 ? 1 : 3}, 0.5);
  };
  run.trainer.predict(run.module, run.data());
  CHECK(read_file(run.directory / "predictions_predict.csv") ==
        "dataloader,batch,sample,0,1,2\n"
        "0,0,0,0.5,,\n0,0,1,0.5,,\n"
        "0,1,2,0.5,0.5,0.5\n0,1,3,0.5,0.5,0.5\n");
  CHECK_FALSE(run.exists("predictions_predict.csv.unfinished"));
  CHECK_FALSE(run.exists("predictions_predict.csv.unfinished.wide"));
}

TEST_CASE("prediction_csv leaves no file of an earlier evaluation after one without predictions") {
  Evaluation run;
  run.trainer.predict(run.module, run.data());
  REQUIRE(run.exists("predictions_predict.csv"));
  run.module.predicted = [](std::int64_t) { return at::zeros({}); };
  const CapturedLog log;
  run.trainer.predict(run.module, run.data());
  CHECK_FALSE(run.exists("predictions_predict.csv"));
  CHECK_THAT(log.text(), Catch::Contains("was of an earlier evaluation and is removed"));
}

TEST_CASE("prediction_csv names the file that it can't write") {
  Evaluation run;
  std::filesystem::create_directory(run.directory / "predictions_predict.csv.unfinished");
  CHECK_THROWS_WITH(run.trainer.predict(run.module, run.data()),
                    Catch::Contains("cannot write '") &&
                        Catch::Contains("predictions_predict.csv.unfinished': Is a directory"));
  std::filesystem::remove(run.directory / "predictions_predict.csv.unfinished");
  std::filesystem::create_directory(run.directory / "predictions_predict.csv");
  CHECK_THROWS_WITH(run.trainer.predict(run.module, run.data()),
                    Catch::Contains("cannot replace '") &&
                        Catch::Contains("predictions_predict.csv': Is a directory; move"));
}

TEST_CASE("prediction_csv names a full disk, which ends a prediction but not a fit") {
  Evaluation run(R"({"validation": true})");
  for (const char* stage : {"predict", "val"}) {
    std::filesystem::create_symlink(
        "/dev/full", run.directory / ("predictions_" + std::string(stage) + ".csv.unfinished"));
  }
  CHECK_THROWS_WITH(
      run.trainer.predict(run.module, run.data()),
      Catch::Contains("predictions_predict.csv.unfinished': No space left on device; free space"));

  const CapturedLog log;
  Toy toy;
  toy.options.max_epochs = 2;
  toy.options.default_root_dir = run.directory.path();
  Trainer trainer(toy.options, Evaluation::plugin(R"({"validation": true})"));
  trainer.fit(run.module, Data(toy.train, DataLoaders{run.loader}));
  CHECK(trainer.global_step() == 8);
  CHECK_FALSE(run.exists("predictions_val.csv"));
  CHECK(log.count("predictions_val.csv.unfinished': No space left on device; free space there, or "
                  "set validation to false") == 1);
}

TEST_CASE("prediction_csv of two labels writes two files") {
  Evaluation run;
  Trainer trainer(run.options(),
                  {shipped_plugin("prediction_csv"), shipped_plugin("prediction_csv", "{}", "b")});
  trainer.predict(run.module, run.data());
  const std::string text = read_file(run.directory / "predictions_predict.csv");
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
  CHECK(read_file(run.directory / "predictions_b_predict.csv") == text);
  CHECK_THROWS_WITH(shipped_plugin("prediction_csv", "{}", "../b"),
                    Catch::Contains("the label '../b' becomes part of the names of files"));
}

TEST_CASE("prediction_csv says once that a step has nothing to write, or too much") {
  const CapturedLog log;
  Evaluation run;
  run.trainer.test(run.module, run.data());
  CHECK_FALSE(run.exists("predictions_test.csv"));
  CHECK_THAT(log.text(), Catch::Contains("the step has no output 'predictions'"));

  Evaluation wide(R"({"max_columns": 2})");
  wide.trainer.predict(wide.module, wide.data());
  CHECK_FALSE(wide.exists("predictions_predict.csv"));
  CHECK_THAT(log.text(), Catch::Contains("3 values for each sample are more than max_columns=2"));
}

}  // namespace prediction_csv_test
