// control_file: obeys commands that are written into a file while a fit runs, as in
//
//   echo save >RUN_DIRECTORY/control
//
//   stop       ends the training after the step that runs, as a first Ctrl-C does
//   save       writes a checkpoint
//   evaluate   runs a validation
//   status     logs the step, the epoch and the latest metrics
//
// One command a line; the file is removed as soon as its last line is complete. A thread of the plugin
// looks at it, so that a slow file system never holds the training up, and posts what it read to the
// training thread. A file that is there before the fit begins is obeyed, too.
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

// What the file says once its last line is complete; it is gone then. Nothing: not yet.
std::optional<std::string> take(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);  // an error of what is no regular file
  if (error || size == 0) return {};
  std::string text;
  if (size <= kLargestFile) {
    std::ifstream in(file, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(in), {});
    if (text.empty() || text.back() != '\n') return {};
  }
  // Never the same commands twice: a file that can't be removed isn't obeyed.
  if (!fs::remove(file, error) || error) return {};
  return size > kLargestFile ? std::string("a file of more than 4096 bytes\n") : text;
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

// On the training thread.
void obey(const std::string& command, const Services& training) {
  if (command == "stop") {
    training.request_stop("the control file says so");
  } else if (command == "save") {
    training.request_save("the control file says so");
  } else if (command == "evaluate") {
    training.request_evaluate("the control file says so");
  } else if (command == "status") {
    log_status(training);
  } else {
    training.log_warning("the control file says \"" + command +
                         "\"; commands are stop, save, evaluate and status");
  }
}

class ControlFile final : public Callback {
 public:
  explicit ControlFile(const Params& params)
      : file_(params.get("file", "control")), interval_(params.get("interval", 1.0)) {}
  ~ControlFile() override { stop_watching(); }

  void init(Services& services) override { training_.emplace(services.training_thread()); }

  void on_fit_start(Event& event) override {
    stop_watching();
    ended_ = false;
    const fs::path directory(event.run_directory());
    watcher_ = std::thread([this, file = directory / file_] { watch(file); });
  }
  void on_fit_end(Event&) override { stop_watching(); }
  void on_exception(ExceptionEvent&) override { stop_watching(); }

 private:
  void watch(const fs::path& file) {
    const std::chrono::duration<double> interval(interval_);
    std::unique_lock lock(mutex_);
    while (!ended_) {
      lock.unlock();
      if (const std::optional<std::string> text = take(file)) post(*text);
      lock.lock();
      changed_.wait_for(lock, interval, [this] { return ended_; });
    }
  }

  void post(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty()) continue;
      training_->post([line](Services& training) { obey(line, training); });
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
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;  // guarded by mutex_
  std::thread watcher_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<ControlFile>("control_file"))
