#include "grapnel/loggers/csv_logger.h"

#include <cmath>
#include <limits>

#include "catch.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "logger_kit.h"

namespace csv_logger_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

namespace {

std::shared_ptr<CSVLogger> logger_in(const TempDir& directory) {
  return std::make_shared<CSVLogger>(CSVLoggerOptions{.directory = directory_in(directory)});
}

std::string table_of(const CSVLogger& logger) {
  return grapnel::test::read_file(logger.metrics_file());
}

}  // namespace

TEST_CASE("CSVLogger writes columns in alphabetical order, with empty cells for missing values") {
  const TempDir directory;
  CSVLogger logger({.directory = directory_in(directory)});
  logger.log_metrics({{"tl", 3.0}, {"epoch", 0.0}}, 0);
  logger.log_metrics({{"vl", 2.0}, {"epoch", 0.0}}, 2);
  logger.log_metrics({{"tl", 0.6808101534843445}, {"epoch", 1.0}}, 3);
  logger.save();
  CHECK(table_of(logger) ==
        "epoch,step,tl,vl\n"
        "0,0,3.0,\n"
        "0,2,,2.0\n"
        "1,3,0.6808101534843445,\n");
  CHECK(logger.metrics_file() == directory / "csv" / "version_0" / "metrics.csv");
}

TEST_CASE(
    "CSVLogger writes NaN and infinity, and quotes names with commas, quotes and line breaks") {
  const TempDir directory;
  CSVLogger logger({.directory = directory_in(directory), .prefix = "run"});
  logger.log_metrics({{"a,\"b\"\n", std::nan("")}, {"big", 1e300}}, 0);
  logger.log_metrics({{"inf", -std::numeric_limits<double>::infinity()}, {"small", 1e-7}}, 1);
  logger.save();
  CHECK(table_of(logger) ==
        "\"run-a,\"\"b\"\"\\n\",run-big,run-inf,run-small,step\n"
        "nan,1e+300,,,0\n"
        ",,-inf,1e-07,1\n");
}

TEST_CASE("CSVLogger writes the table that Lightning writes for a whole training") {
  const TempDir directory;
  const auto logger = logger_in(directory);
  TrainerOptions options = quiet(2);
  options.loggers = {logger};
  options.log_every_n_steps = 1;
  class Tabled : public ToyModule {
   public:
    StepOutput training_step(Batch&, int64_t index) override {
      constexpr double kValues[] = {3, 1, 5};
      log("tl", kValues[index], {.on_step = true, .on_epoch = true});
      return (weight * 0.0).sum();
    }
    StepOutput validation_step(Batch&, int64_t index, int64_t) override {
      log("vl", index == 0 ? 3.0 : 1.0);
      return {};
    }
  };
  Tabled module;
  Trainer trainer(options);
  trainer.fit(module, toy_data(3, 2));
  CHECK(table_of(*logger) ==
        "epoch,step,tl_epoch,tl_step,vl\n0,0,,3.0,\n0,1,,1.0,\n0,2,,5.0,\n0,2,,,2.0\n0,2,3.0,,\n"
        "1,3,,3.0,\n1,4,,1.0,\n1,5,,5.0,\n1,5,,,2.0\n1,5,3.0,,\n");
  CHECK(trainer.log_dir() == directory / "csv" / "version_0");
}

TEST_CASE("CSVLogger's table of a resumed run equals that of an uninterrupted run") {
  const TempDir directory;
  TrainerOptions options = quiet(3);
  options.log_every_n_steps = 1;
  const auto whole = std::make_shared<CSVLogger>(CSVLoggerOptions{
      .directory = {.save_dir = directory / "whole", .name = "csv", .version = "version_0"}});
  options.loggers = {whole};
  {
    ToyModule module;
    Trainer trainer(options);
    trainer.fit(module, toy_data(4, 1));
  }
  const fs::path checkpoint = directory / "a.ckpt";
  const auto part = [&] {
    return std::make_shared<CSVLogger>(CSVLoggerOptions{
        .directory = {.save_dir = directory / "part", .name = "csv", .version = "version_0"}});
  };
  const auto first = part();
  {
    class Saving : public Callback {
     public:
      explicit Saving(fs::path path) : path_(std::move(path)) {}
      void on_train_batch_end(TrainBatchEnd& event) override {
        if (event.trainer.global_step() == 6) event.trainer.save_checkpoint(path_);
        if (event.trainer.global_step() == 8) throw std::runtime_error("killed");
      }

     private:
      fs::path path_;
    };
    options.loggers = {first};
    ToyModule module;
    Trainer trainer(options, {std::make_shared<Saving>(checkpoint)});
    CHECK_THROWS(trainer.fit(module, toy_data(4, 1)));
  }
  const std::string interrupted = table_of(*first);
  options.loggers = {part()};
  ToyModule module;
  Trainer trainer(options);
  trainer.fit(module, toy_data(4, 1), {.ckpt_path = checkpoint.string()});
  CHECK(table_of(*first) == table_of(*whole));
  CHECK(interrupted != table_of(*whole));
  CHECK(fs::exists(directory / "part" / "csv" / "version_0" / "metrics-1.csv") == false);
}

TEST_CASE("CSVLogger drops a half-written row left by a crash") {
  const TempDir directory;
  const auto first = logger_in(directory);
  first->log_metrics({{"a", 1.0}}, 0);
  first->log_metrics({{"a", 2.0}}, 1);
  const StateDict state = first->state_dict();
  {
    std::ofstream file(first->metrics_file(), std::ios::app);
    file << "3.";
  }
  const auto second = logger_in(directory);
  second->load_state_dict(state);
  CHECK(second->state_dict().at("rows").to_int() == 2);  // also before anything is logged
  second->log_metrics({{"a", 3.0}, {"b", 4.0}}, 2);
  second->save();
  CHECK(table_of(*second) == "a,b,step\n1.0,,0\n2.0,,1\n3.0,4.0,2\n");
}

TEST_CASE("CSVLogger moves another run's table aside and never overwrites it") {
  const TempDir directory;
  const CapturedLog log;
  for (int run = 0; run < 3; ++run) {
    const auto logger = logger_in(directory);
    logger->log_metrics({{"a", static_cast<double>(run)}}, 0);
    logger->save();
  }
  const fs::path place = directory / "csv" / "version_0";
  CHECK(grapnel::test::read_file(place / "metrics.csv") == "a,step\n2.0,0\n");
  CHECK(grapnel::test::read_file(place / "metrics-1.csv") == "a,step\n0.0,0\n");
  CHECK(grapnel::test::read_file(place / "metrics-2.csv") == "a,step\n1.0,0\n");
  CHECK(log.count("warning: ") == 2);
  CHECK_THAT(log.text(), Catch::Contains("'metrics-1.csv'"));
}

TEST_CASE("CSVLogger writes hyper-parameters as YAML next to its table") {
  const TempDir directory;
  const auto logger = logger_in(directory);
  StateDict nested{{"lr", 1e-5}, {"layers", StateList{1, 2}}, {"none", StateDict{}}};
  logger->log_hyperparams({{"a", 1},
                           {"b", "x"},
                           {"yes", "no"},
                           {"text", "it's: a # b"},
                           {"nested", nested},
                           {"off", false},
                           {"nothing", StateValue()},
                           {"bad", std::nan("")}});
  CHECK(grapnel::test::read_file(directory / "csv" / "version_0" / "hparams.yaml") ==
        "a: 1\nb: x\n\"yes\": \"no\"\ntext: \"it's: a # b\"\nnested:\n  lr: 1.0e-05\n  layers: "
        "[1,2]\n  none: {}\n"
        "\"off\": false\nnothing: null\nbad: .nan\n");
}

TEST_CASE("CSVLogger's error about a directory that isn't writable names it") {
  const TempDir directory;
  directory.write("blocked", "a file");
  CSVLogger logger({.directory = {.save_dir = directory / "blocked", .name = "csv"}});
  CHECK_THROWS_AS(logger.start(), IoError);
}

}  // namespace csv_logger_test
