// control_file: obeys commands that are written into a file while a fit runs, as in
//
//   echo save >RUN_DIRECTORY/control
//
//   stop       ends the training after the step that runs, as a first Ctrl-C does
//   save       writes a checkpoint
//   evaluate   runs a validation
//   status     logs the step, the epoch and the latest metrics
//
// One command a line; the file is removed once it ends with a complete line. Write it in one go, as echo
// does, or write another file and rename it. A thread of the plugin looks at it, so that a slow file
// system never holds the training up, and posts what it read to the training thread. "save" and
// "evaluate" wait for the end of the next training batch. A file that is there before the fit begins is
// obeyed, too; one of more than 4096 bytes is left alone.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;
namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestFile = 4096;  // bytes
constexpr const char* kReason = "the control file says so";

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What the file says once its last line is complete; it is gone then. Nothing: not yet.
std::optional<std::string> take(const fs::path& file, const Logger& logger) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);  // an error of what is no regular file
  if (error || size == 0) return {};
  if (size > kLargestFile) {
    logger.warning_once("size", "the control file " + file.string() +
                                    " has more than 4096 bytes; it is left alone");
    return {};
  }
  const std::string seen = content(file);
  if (seen.empty() || seen.back() != '\n') return {};
  // Never the same commands twice: a file that can't be moved and removed isn't obeyed. What was added
  // to it meanwhile is read with the rest.
  fs::path taken = file;
  taken += ".taken";
  fs::rename(file, taken, error);
  if (error) return {};
  std::string text = content(taken);
  if (!fs::remove(taken, error) || error) return {};
  return text;
}

void log_status(const Services& training) {
  std::string text = "step " + std::to_string(training.global_step()) + ", epoch " +
                     std::to_string(training.current_epoch());
  for (const std::string& name : training.metric_names()) {
    const auto metric = training.metric(name);
    if (!metric) continue;
    char number[32];
    std::snprintf(number, sizeof number, "%.6g", metric->value);
    text += ", " + name + " " + number;
  }
  training.log_info(text);
}

class ControlFile final : public Callback {
 public:
  explicit ControlFile(const Params& params)
      : file_(params.get("file", "control")), interval_(params.get("interval", 1.0)) {}
  ~ControlFile() override { stop_watching(); }

  void init(Services& services) override {
    training_.emplace(services.training_thread());
    logger_.emplace(services.logger());
  }

  void on_fit_start(Event& event) override {
    stop_watching();
    ended_ = false;
    const fs::path directory(event.run_directory());
    watcher_ = std::thread([this, file = directory / file_] { watch(file); });
  }
  void on_train_batch_end(TrainBatchEnd& event) override {
    if (std::exchange(saves_, false)) event.request_save(kReason);
    if (std::exchange(evaluates_, false)) event.request_evaluate(kReason);
  }
  void on_fit_end(Event&) override { stop_watching(); }
  void on_exception(ExceptionEvent&) override { stop_watching(); }

 private:
  void watch(const fs::path& file) {
    const std::chrono::duration<double> interval(interval_);
    std::unique_lock lock(mutex_);
    while (!ended_) {
      lock.unlock();
      if (const std::optional<std::string> text = take(file, *logger_)) post(*text);
      lock.lock();
      changed_.wait_for(lock, interval, [this] { return ended_; });
    }
  }

  void post(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty()) continue;
      if (!training_->post([this, line](Services& training) { obey(line, training); })) {
        logger_->warning("the command \"" + line + "\" of the control file is lost");
      }
    }
  }

  // On the training thread, at any hook of a batch: save and evaluate wait for one that allows them.
  void obey(const std::string& command, const Services& training) {
    if (command == "stop") {
      training.request_stop(kReason);
    } else if (command == "save") {
      saves_ = true;
    } else if (command == "evaluate") {
      evaluates_ = true;
    } else if (command == "status") {
      log_status(training);
    } else {
      training.log_warning("the control file says \"" + command +
                           "\"; commands are stop, save, evaluate and status");
    }
  }

  void stop_watching() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    if (watcher_.joinable()) watcher_.join();
  }

  fs::path file_;
  double interval_;
  std::optional<TrainingThread> training_;
  std::optional<Logger> logger_;
  bool saves_ = false;  // asked for, not yet requested
  bool evaluates_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;  // guarded by mutex_
  std::thread watcher_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<ControlFile>("control_file"))
