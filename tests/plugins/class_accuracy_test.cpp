// class_accuracy in a real training of a ready model, and on scores that are known.
#include <ATen/ATen.h>

#include <fstream>
#include <string>
#include <vector>

#include <grapnel/data/digits.h>
#include <grapnel/models/mlp.h>

#include "captured_log.h"
#include "catch.h"
#include "shipped_plugin.h"

namespace class_accuracy_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Scores and classes that a test chooses: 3 classes, the last one without samples.
class KnownScores final : public ToyModule {
 public:
  StepOutput validation_step(Batch&, std::int64_t batch_idx, std::int64_t) override {
    StepOutput output;
    const at::Tensor given = batch_idx > 0 && later > 0 ? scores.slice(1, 0, later) : scores;
    if (give) output.extras = {{"predictions", given}};
    return output;
  }
  at::Tensor scores = at::tensor({2.0, 1.0, 0.0, 0.0, 3.0, 1.0, 5.0, 1.0, 1.0, 0.0, 0.0, 9.0})
                          .to(at::kFloat)
                          .view({4, 3});  // 0, 1, 0, 2
  bool give = true;
  std::int64_t later = 0;  // classes in batches after the first one; 0: as many
};

class KnownClasses final : public DataLoader {
 public:
  explicit KnownClasses(at::Tensor classes) : classes_(std::move(classes)) {}
  std::optional<std::int64_t> size() const override { return 2; }
  void start(std::int64_t) override { next_ = 0; }
  std::optional<Batch> next() override {
    if (next_++ == 2) return {};
    return Batch({at::zeros({4, 3}), classes_});
  }
  void skip(std::int64_t batches) override { next_ += batches; }

 private:
  at::Tensor classes_;
  std::int64_t next_ = 0;
};

MetricDict validated(KnownScores& module, const TempDir& directory, const at::Tensor& classes,
                     const std::string& parameters = "{}") {
  TrainerOptions options = quiet(1);
  options.default_root_dir = directory.path();
  Trainer trainer(options, {shipped_plugin("class_accuracy", parameters)});
  return trainer
      .validate(module, Data(DataLoaders{std::make_shared<KnownClasses>(classes)}),
                {.verbose = false})
      .front();
}

}  // namespace

TEST_CASE("class_accuracy counts each class and writes the confusion matrix") {
  const TempDir directory;
  KnownScores module;
  const at::Tensor classes = at::tensor({0, 1, 1, -100}, at::kLong);
  const MetricDict metrics = validated(module, directory, classes);
  CHECK(metrics.at("val_class_acc/0") == 1.0);
  CHECK(metrics.at("val_class_acc/1") == 0.5);
  CHECK(metrics.find("val_class_acc/2") == nullptr);
  CHECK(metrics.at("val_class_acc/mean") == 0.75);
  CHECK(read_file(directory / "confusion_matrix_val.csv") ==
        "true class,0,1,2\n0,2,0,0\n1,2,2,0\n2,0,0,0\n");
  const ConfigValue json =
      parse_json(read_file(directory / "confusion_matrix_val.json"), "confusion matrix");
  CHECK(json.find("matrix")->as_array()[1].as_array()[0].as_int() == 2);
  CHECK(json.find("accuracy")->as_array()[2].is_null());
}

TEST_CASE(
    "class_accuracy can leave out classes and files, and counts no more classes than it may") {
  const TempDir directory;
  KnownScores module;
  const at::Tensor classes = at::tensor({0, 1, 1, 2}, at::kLong);
  const MetricDict metrics =
      validated(module, directory, classes, R"({"per_class": false, "files": false})");
  CHECK(metrics.find("val_class_acc/mean") != nullptr);
  CHECK(metrics.find("val_class_acc/0") == nullptr);
  CHECK_FALSE(std::filesystem::exists(directory / "confusion_matrix_val.csv"));

  const CapturedLog log;
  CHECK(validated(module, directory, classes, R"({"max_classes": 2})").empty());
  CHECK_THAT(log.text(), Catch::Contains("3 classes are more than max_classes=2"));
}

TEST_CASE("class_accuracy counts targets of narrow integers like wide ones") {
  KnownScores module;
  module.scores = at::zeros({4, 200});
  const std::vector<std::int64_t> classes = {0, 120, 120, 199};
  for (std::size_t i = 0; i < 4; ++i) module.scores[static_cast<std::int64_t>(i)][classes[i]] = 1;
  for (const at::ScalarType type : {at::kByte, at::kShort, at::kInt}) {
    INFO(type);
    const TempDir directory;
    const MetricDict metrics =
        validated(module, directory, at::tensor(classes, at::kLong).to(type));
    CHECK(metrics.at("val_class_acc/0") == 1.0);
    CHECK(metrics.at("val_class_acc/120") == 1.0);
    CHECK(metrics.at("val_class_acc/199") == 1.0);
  }
}

TEST_CASE(
    "class_accuracy keeps what it has counted when later scores have other classes, and says so") {
  const TempDir directory;
  KnownScores module;
  module.later = 2;
  const CapturedLog log;
  validated(module, directory, at::tensor({0, 1, 1, 2}, at::kLong));
  CHECK(read_file(directory / "confusion_matrix_val.csv") ==
        "true class,0,1,2\n0,1,0,0\n1,1,1,0\n2,0,0,1\n");
  CHECK_THAT(log.text(), Catch::Contains("scores of 2 classes come after those of 3"));
}

TEST_CASE("class_accuracy names the file that it can't write") {
  const TempDir directory;
  KnownScores module;
  std::filesystem::create_directory(directory / "confusion_matrix_val.csv.unfinished");
  CHECK_THROWS_WITH(validated(module, directory, at::tensor({0, 1, 1, 2}, at::kLong)),
                    Catch::Contains("confusion_matrix_val.csv.unfinished': Is a directory; move") &&
                        Catch::Contains("or set files to false"));
  std::filesystem::remove(directory / "confusion_matrix_val.csv.unfinished");
  std::filesystem::create_directory(directory / "confusion_matrix_val.csv");
  CHECK_THROWS_WITH(validated(module, directory, at::tensor({0, 1, 1, 2}, at::kLong)),
                    Catch::Contains("cannot replace '") &&
                        Catch::Contains("confusion_matrix_val.csv': Is a directory; move"));
}

TEST_CASE("class_accuracy warns of a full disk in a fit, which continues and logs all the same") {
  const TempDir directory;
  std::filesystem::create_symlink("/dev/full", directory / "confusion_matrix_val.csv.unfinished");
  KnownScores module;
  TrainerOptions options = quiet(2);
  options.default_root_dir = directory.path();
  Trainer trainer(options, {shipped_plugin("class_accuracy")});
  const CapturedLog log;
  const at::Tensor classes = at::tensor({0, 1, 1, 2}, at::kLong);
  trainer.fit(module, Data(std::make_shared<ToyLoader>(2),
                           DataLoaders{std::make_shared<KnownClasses>(classes)}));
  CHECK(trainer.global_step() == 4);
  CHECK(trainer.callback_metrics().at("val_class_acc/0") == 1.0);
  CHECK_FALSE(std::filesystem::exists(directory / "confusion_matrix_val.csv"));
  CHECK(log.count("confusion_matrix_val.csv.unfinished': No space left on device; free space "
                  "there, or set files to false") == 1);
}

TEST_CASE("class_accuracy of two labels logs and writes both") {
  const TempDir directory;
  KnownScores module;
  TrainerOptions options = quiet(1);
  options.default_root_dir = directory.path();
  Trainer trainer(options, {shipped_plugin("class_accuracy"),
                            shipped_plugin("class_accuracy", R"({"target": 0})", "b"),
                            shipped_plugin("class_accuracy", "{}", "c")});
  const at::Tensor classes = at::tensor({0, 1, 1, 2}, at::kLong);
  const MetricDict metrics =
      trainer
          .validate(module, Data(DataLoaders{std::make_shared<KnownClasses>(classes)}),
                    {.verbose = false})
          .front();
  CHECK(metrics.at("val_class_acc/mean") == metrics.at("val_class_acc_c/mean"));
  CHECK(metrics.find("val_class_acc_b/mean") == nullptr);  // it has nothing to count
  CHECK(std::filesystem::exists(directory / "confusion_matrix_val.csv"));
  CHECK(std::filesystem::exists(directory / "confusion_matrix_c_val.csv"));
  CHECK(std::filesystem::exists(directory / "confusion_matrix_c_val.json"));
  CHECK_THROWS_WITH(shipped_plugin("class_accuracy", "{}", "a/b"),
                    Catch::Contains("the label 'a/b' becomes part of the names of files"));
}

TEST_CASE("a second class_accuracy without a label is refused, whatever its output") {
  CHECK_THROWS_WITH(Trainer(quiet(1), {shipped_plugin("class_accuracy"),
                                       shipped_plugin("class_accuracy", R"({"output": "other"})")}),
                    Catch::Contains("label"));
}

TEST_CASE("class_accuracy says once why it counts nothing") {
  const TempDir directory;
  KnownScores module;
  module.give = false;
  const CapturedLog log;
  CHECK(validated(module, directory, at::tensor({0, 1, 1, 2}, at::kLong)).empty());
  CHECK_THAT(log.text(), Catch::Contains("the step has no output 'predictions'"));
}

TEST_CASE("class_accuracy agrees with the accuracy of a trained MLP, and changes no number") {
  const auto train = [](const TempDir& directory, std::vector<CallbackHandle> callbacks) {
    DigitsDataModule data({.batch_size = 64});
    at::manual_seed(1);  // of the first weights
    MLP mlp;
    TrainerOptions options = quiet(3);
    options.seed = 1;
    options.default_root_dir = directory.path();
    Trainer trainer(options, std::move(callbacks));
    trainer.fit(mlp, data);
    return trainer.callback_metrics();
  };
  const TempDir directory;
  const MetricDict with = train(directory, {shipped_plugin("class_accuracy")});
  const MetricDict without = train(directory, {});
  CHECK(with.at("val_acc") == without.at("val_acc"));
  CHECK(with.at("val_loss") == without.at("val_loss"));

  const ConfigValue json =
      parse_json(read_file(directory / "confusion_matrix_val.json"), "confusion matrix");
  double right = 0, all = 0;
  const auto& rows = json.find("matrix")->as_array();
  REQUIRE(rows.size() == 10);
  for (std::size_t t = 0; t < 10; ++t) {
    double of_class = 0;
    for (std::size_t p = 0; p < 10; ++p) {
      of_class += static_cast<double>(rows[t].as_array()[p].as_int());
    }
    const auto hit = static_cast<double>(rows[t].as_array()[t].as_int());
    CHECK(with.at("val_class_acc/" + std::to_string(t)) == Approx(hit / of_class));
    right += hit;
    all += of_class;
  }
  CHECK(with.at("val_acc") == Approx(right / all).epsilon(1e-3));
}

}  // namespace class_accuracy_test
