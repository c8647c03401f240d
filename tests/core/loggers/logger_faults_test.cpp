// Loggers whose files can't be written or read: nothing that was written is lost, and a training goes on.
#if !defined(_WIN32)
#include <sys/resource.h>

#include <csignal>
#endif

#include <fstream>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/learning_rate_monitor.h"
#include "grapnel/checkpoint.h"
#include "grapnel/loggers/csv_logger.h"
#include "grapnel/loggers/json_lines_logger.h"
#include "grapnel/loggers/tensorboard_logger.h"
#include "logger_kit.h"

namespace logger_faults_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

std::shared_ptr<CSVLogger> csv_in(const TempDir& directory) {
  return std::make_shared<CSVLogger>(CSVLoggerOptions{.directory = directory_in(directory)});
}

// The same file of metrics with another path to its content.
std::string text_of(const fs::path& file) {
  return grapnel::test::read_file(file);
}

#if !defined(_WIN32)

// Files of this process can't grow beyond so many bytes, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uintmax_t bytes) {
    before_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit_);
    rlimit small = limit_;
    small.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit limit_{};
  void (*before_)(int) = nullptr;
};

#endif

// Fails as the system does, from a batch on.
class Failing final : public Logger {
 public:
  std::string name() const override { return "failing"; }
  std::string version() const override { return "0"; }
  void log_metrics(const Metrics&, int64_t step) override {
    if (step >= fails_from) throw IoError("write to", "metrics.txt", ENOSPC, "no metrics");
    last_step = step;
  }
  void save() override {
    if (last_step + 1 >= fails_from) throw IoError("write to", "metrics.txt", ENOSPC);
  }
  StateDict state_dict() const override {
    if (last_step + 1 >= fails_from) throw IoError("write to", "metrics.txt", ENOSPC);
    return {{"last_step", last_step}};
  }
  int64_t fails_from = 1000;
  int64_t last_step = -1;
};

TrainerOptions logged_by(std::shared_ptr<Logger> logger, int64_t epochs) {
  TrainerOptions options = quiet(epochs);
  options.log_every_n_steps = 1;
  options.loggers = {std::move(logger)};
  return options;
}

}  // namespace

#if !defined(_WIN32)

TEST_CASE("rows that a full disk refuses are written when there is room again") {
  const TempDir directory;
  const auto check = [&](Logger& logger, const fs::path& file) {
    logger.log_metrics({{"a", 1.0}}, 0);
    logger.save();
    const std::string before = text_of(file);
    StateDict state;
    {
      const FileSizeLimit limit(fs::file_size(file) + 3);
      for (int64_t step = 1; step < 4; ++step) {
        logger.log_metrics({{"a", 2.0}}, step);
        // Each time with the reason.
        CHECK_THROWS_WITH(logger.save(), Contains(file.string()) && Contains("too large"));
      }
      state = logger.state_dict();
      CHECK(text_of(file) == before);  // nothing half written
    }
    logger.log_metrics({{"a", 5.0}}, 4);
    logger.save();
    return state;
  };
  SECTION("CSV") {
    const auto logger = csv_in(directory);
    const StateDict state = check(*logger, logger->metrics_file());
    CHECK(text_of(logger->metrics_file()) == "a,step\n1.0,0\n2.0,1\n2.0,2\n2.0,3\n5.0,4\n");
    CHECK(state.at("rows").to_int() == 1);
  }
  SECTION("JSON lines") {
    JsonLinesLogger logger({.directory = directory_in(directory)});
    const StateDict state = check(logger, logger.metrics_file());
    CHECK(state.at("rows").to_int() == 1);
    const std::string text = text_of(logger.metrics_file());
    CHECK(std::count(text.begin(), text.end(), '\n') == 5);
  }
}

TEST_CASE("event files that a full disk cut off are whole again when there is room") {
  const TempDir directory;
  TensorBoardLogger logger({.directory = directory_in(directory)});
  logger.log_metrics({{"a", 1.0}}, 0);
  logger.save();
  fs::path file;
  for (const auto& entry : fs::directory_iterator(logger.log_dir())) file = entry.path();
  const auto one = fs::file_size(file);
  {
    const FileSizeLimit limit(one + 5);
    logger.log_metrics({{"a", 1.0}}, 1);
    CHECK_THROWS_AS(logger.save(), IoError);
    CHECK(fs::file_size(file) == one);
    CHECK(logger.state_dict().at("files").to_list().at(0).to_list().at(1).to_int() ==
          static_cast<int64_t>(one));
  }
  logger.log_metrics({{"a", 1.0}}, 2);
  logger.save();
  CHECK(fs::file_size(file) > one);
}

TEST_CASE("a full disk of logs doesn't end a training, and nothing is missing afterwards") {
  class Filling final : public Callback {
   public:
    explicit Filling(fs::path file) : file_(std::move(file)) {}
    void on_train_batch_end(TrainBatchEnd& event) override {
      if (event.trainer.global_step() == 2) limit_.emplace(fs::file_size(file_));
      if (event.trainer.global_step() == 6) limit_.reset();
    }

   private:
    fs::path file_;
    std::optional<FileSizeLimit> limit_;
  };
  const TempDir directory;
  const auto undisturbed = [] {
    const TempDir other;
    ToyModule module;
    const auto logger = csv_in(other);
    Trainer(logged_by(logger, 2)).fit(module, toy_data(4, 1));
    return text_of(logger->metrics_file());
  }();
  const auto logger = csv_in(directory);
  const CapturedLog log;
  ToyModule module;
  Trainer trainer(logged_by(logger, 2), {std::make_shared<Filling>(logger->metrics_file())});
  trainer.fit(module, toy_data(4, 1));
  CHECK(trainer.global_step() == 8);
  CHECK(text_of(logger->metrics_file()) == undisturbed);
  CHECK(log.count("warning: a logger failed") == 1);
}

#if defined(__linux__)

TEST_CASE("a file of metrics that can't be read is never replaced") {
  const TempDir directory;
  const auto logger = csv_in(directory);
  const fs::path file = logger->metrics_file();
  const fs::path real = directory / "real.csv";
  logger->log_metrics({{"a", 1.0}}, 0);
  logger->log_metrics({{"a", 2.0}}, 1);
  logger->save();
  const StateDict state = logger->state_dict();
  fs::rename(file, real);
  fs::create_symlink("/proc/self/mem", file);  // reading it is an I/O error
  SECTION("when a new column comes up") {
    logger->log_metrics({{"a", 3.0}, {"b", 4.0}}, 2);
    CHECK_THROWS_WITH(logger->save(), Contains("read") && Contains("metrics.csv"));
    fs::rename(real, file);
    logger->save();
    CHECK(text_of(file) == "a,b,step\n1.0,,0\n2.0,,1\n3.0,4.0,2\n");
  }
  SECTION("when a run resumes") {
    const auto resumed = csv_in(directory);
    resumed->load_state_dict(state);
    resumed->log_metrics({{"a", 3.0}}, 2);
    CHECK_THROWS_WITH(resumed->save(), Contains("read") && Contains("metrics.csv"));
    fs::rename(real, file);
    resumed->save();
    CHECK(text_of(file) == "a,step\n1.0,0\n2.0,1\n3.0,2\n");
  }
}

#endif

#endif

TEST_CASE("a file of metrics that has lost rows is not rewritten for a new column") {
  const TempDir directory;
  const auto logger = csv_in(directory);
  for (int64_t step = 0; step < 4; ++step) logger->log_metrics({{"a", 1.0}}, step);
  logger->save();
  const std::string whole = text_of(logger->metrics_file());
  fs::resize_file(logger->metrics_file(), whole.size() - 9);
  logger->log_metrics({{"b", 1.0}}, 4);
  CHECK_THROWS_WITH(logger->save(), Contains("2 rows") && Contains("4 were written"));
  CHECK(text_of(logger->metrics_file()) == whole.substr(0, whole.size() - 9));
  logger->log_metrics({{"b", 1.0}}, 4);
  CHECK_THROWS_AS(logger->save(), IoError);
  std::ofstream(logger->metrics_file(), std::ios::binary) << whole;
}

TEST_CASE("a directory of logs that is removed during a run is written again") {
  const TempDir directory;
  const auto logger = csv_in(directory);
  logger->log_metrics({{"a", 1.0}}, 0);
  logger->save();
  const CapturedLog log;
  fs::remove_all(directory / "csv");
  logger->log_metrics({{"a", 2.0}}, 1);
  logger->save();
  CHECK(text_of(logger->metrics_file()) == "a,step\n1.0,0\n2.0,1\n");
  CHECK_THAT(log.text(), Contains("warning: ") && Contains("was removed"));
  fs::remove_all(directory / "csv");
  logger->finalize("success");  // nothing more to write, but the file is missed
  CHECK(text_of(logger->metrics_file()) == "a,step\n1.0,0\n2.0,1\n");
}

TEST_CASE("a logger that can't write ends neither the training nor its checkpoints") {
  const TempDir directory;
  const std::string file = (directory / "a.ckpt").string();
  const auto logger = std::make_shared<Failing>();
  logger->fails_from = 4;
  class Saving final : public Callback {
   public:
    explicit Saving(std::string file) : file_(std::move(file)) {}
    void on_train_batch_end(TrainBatchEnd& event) override {
      const int64_t step = event.trainer.global_step();
      if (step == 3 || step == 6) event.trainer.save_checkpoint(file_);
    }

   private:
    std::string file_;
  };
  const CapturedLog log;
  ToyModule module;
  Trainer trainer(logged_by(logger, 2),
                  {std::make_shared<Saving>(file), std::make_shared<LearningRateMonitor>()});
  trainer.fit(module, toy_data(4, 1));
  CHECK(trainer.global_step() == 8);
  CHECK(log.count("warning: a logger failed") == 1);
  CHECK_THAT(log.text(), Contains("the position of the logger 'failing' can't be saved") &&
                             Contains("error: the logs are incomplete") && Contains("No space"));
  const StateDict saved = load_checkpoint_file(file);
  CHECK(saved.at("global_step").to_int() == 6);
  CHECK(saved.at("exact_resume")
            .to_dict()
            .at("loggers")
            .to_list()
            .at(0)
            .to_dict()
            .at("last_step")
            .to_int() == 2);  // of the rates before the third batch
}

TEST_CASE("a directory of logs that was moved or copied is continued") {
  const TempDir directory;
  StateDict csv, lines;
  const auto place = [&](const char* run) {
    return LogDirectoryOptions{.save_dir = directory / run, .name = "", .version = "v"};
  };
  {
    CSVLogger table({.directory = place("first")});
    JsonLinesLogger rows({.directory = place("first")});
    for (int64_t step = 0; step < 5; ++step) {
      const Logger::Metrics metrics = {{"loss", 1.0 / static_cast<double>(step + 1)}};
      table.log_metrics(metrics, step);
      rows.log_metrics(metrics, step);
      if (step == 2) csv = table.state_dict();
      if (step == 2) lines = rows.state_dict();
      if (step == 4) table.log_metrics({{"accuracy", 0.5}}, step);  // a column that came later
    }
  }
  SECTION("moved") {
    fs::rename(directory / "first", directory / "second");
  }
  SECTION("copied") {
    fs::copy(directory / "first", directory / "second", fs::copy_options::recursive);
  }
  const auto resume = [&] {
    CSVLogger table({.directory = place("second")});
    table.load_state_dict(csv);
    table.log_metrics({{"loss", 9.0}}, 3);
    table.save();
    JsonLinesLogger rows({.directory = place("second")});
    rows.load_state_dict(lines);
    rows.log_metrics({{"loss", 9.0}}, 3);
    rows.save();
  };
  resume();
  CHECK(text_of(directory / "second" / "v" / "metrics.csv") ==
        "accuracy,loss,step\n,1.0,0\n,0.5,1\n,0.3333333333333333,2\n,9.0,3\n");
  const std::string text = text_of(directory / "second" / "v" / "metrics.jsonl");
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  CHECK_FALSE(fs::exists(directory / "second" / "v" / "metrics-1.csv"));

  // Another run's file is not taken for it.
  std::ofstream(directory / "second" / "v" / "metrics.csv")
      << "loss,step\n7.0,0\n7.0,1\n7.0,2\n7.0,3\n";
  resume();
  CHECK(text_of(directory / "second" / "v" / "metrics-1.csv") ==
        "loss,step\n7.0,0\n7.0,1\n7.0,2\n7.0,3\n");
}

}  // namespace logger_faults_test
