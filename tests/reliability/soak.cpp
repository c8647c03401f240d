// A training that goes on and on, with all shipped plugins and many callbacks, three loggers and a
// checkpoint every second: does it hold more and more memory, files, threads? See README.md.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/process.h>

#include "slope.h"
#include "training_process.h"

namespace grapnel::reliability {

namespace fs = std::filesystem;

namespace {

struct Options {
  double minutes = 60;
  double checkpoint_seconds = 2;
  double warmup = 0.2;  // of the time, not measured
  fs::path directory;   // empty: a temporary one
};

constexpr const char* kRun = R"({{
  "run_dir": "run",
  "model": {{"name": "mlp", "hidden": [32]}},
  "data": {{"name": "digits", "batch_size": 32}},
  "loggers": ["csv", "json_lines", "tensorboard"],
  "trainer": {{"max_epochs": -1, "log_every_n_steps": 20}},
  "callbacks": [
    {{"name": "model_checkpoint", "label": "newest", "train_time_interval": {0},
     "save_last": true}},
    {{"name": "model_checkpoint", "label": "best", "filename": "best-{{epoch}}",
     "monitor": "val_loss", "save_top_k": 3, "every_n_epochs": 20}},
    {{"name": "on_exception_checkpoint", "dirpath": "run/checkpoints"}},
    {{"name": "early_stopping", "monitor": "val_loss", "patience": 1000000000,
     "restore_best_weights": true}},
    "activation_monitor", "device_stats_monitor", "learning_rate_monitor", "model_summary",
    "rich_progress_bar", "throughput_monitor",
    {{"name": "ema_weight_averaging", "decay": 0.99}},
    {{"name": "gradient_accumulation_scheduler", "scheduling": {{"0": 1, "2": 2}}}},
    {{"name": "spike_detection", "atol": 1e9}},
    {{"name": "timer", "duration": "99:00:00:00"}}]}}
)";
constexpr int kBuiltIn = 14;

int run_to_end(const Command& command) {
  return TrainingProcess(command).wait();
}

// The environment of a user who has the shipped plugins enabled.
Command prepared(const fs::path& directory, const Options& options) {
  Command command;
  command.directory = directory;
  command.log = directory / "log";
  for (const char* name : {"HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"}) {
    command.variables.emplace_back(name, (directory / "home").string());
  }
  command.variables.emplace_back("GRAPNEL_PLUGIN_PATH", PLUGINS);
  write_file(directory / "run.json", fmt::format(kRun, options.checkpoint_seconds));
  command.arguments = {"plugin", "enable", "--all"};
  if (run_to_end(command) != 0) throw Error("the plugins can't be enabled; see the log");
  command.arguments = {"fit", "--config", "run.json"};
  return command;
}

std::int64_t files_in(const fs::path& directory, bool hidden) {
  return std::count_if(fs::recursive_directory_iterator(directory), {}, [&](const auto& entry) {
    const std::string name = entry.path().filename().string();
    return entry.is_regular_file() && name.starts_with('.') == hidden && name != ".lock";
  });
}

std::int64_t lines_of(const fs::path& file) {
  const std::string text = read_file(file, std::uint64_t{1} << 40);
  return std::count(text.begin(), text.end(), '\n');
}

// Whether the second half never holds so few as the first half at most: what is open for a moment only
// doesn't matter.
bool report_count(const char* name, const std::vector<Holding>& holdings,
                  std::int64_t Holding::*member) {
  const auto half = holdings.begin() + static_cast<std::ptrdiff_t>(holdings.size() / 2);
  const auto less = [member](const Holding& a, const Holding& b) { return a.*member < b.*member; };
  const auto first = std::minmax_element(holdings.begin(), half, less);
  const auto second = std::minmax_element(half, holdings.end(), less);
  if (half == holdings.begin()) return false;
  fmt::print("{:<28}{} to {} in the first half, {} to {} in the second\n", name,
             (*first.first).*member, (*first.second).*member, (*second.first).*member,
             (*second.second).*member);
  return (*second.first).*member > (*first.second).*member;
}

int report(const std::vector<Holding>& holdings, const fs::path& run, int status) {
  std::vector<std::pair<double, double>> memory;  // minutes, kB
  for (const Holding& holding : holdings) {
    memory.emplace_back(holding.seconds / 60, static_cast<double>(holding.resident_kb));
  }
  const Slope slope = slope_of(memory);
  fmt::print("{:<28}{} built in, {} of plugins\n", "callbacks", kBuiltIn, PLUGIN_COUNT);
  fmt::print("{:<28}{}\n", "measurements", holdings.size());
  if (!holdings.empty()) {
    fmt::print("{:<28}{:.1f} MB at first, {:.1f} MB at last\n", "resident memory",
               memory.front().second / 1024, memory.back().second / 1024);
  }
  fmt::print("{:<28}{:.2f} kB per minute, standard error {:.2f}\n", "its slope", slope.value,
             slope.standard_error);
  bool failed = report_count("open files", holdings, &Holding::files);
  failed = report_count("threads", holdings, &Holding::threads) || failed;
  fmt::print("{:<28}{}\n", "logged rows", lines_of(run / "metrics.csv") - 1);
  fmt::print("{:<28}{}, hidden {}\n", "files in the run directory", files_in(run, false),
             files_in(run, true));
  fmt::print("{:<28}{}\n", "end", describe_status(status));
  failed = failed || files_in(run, true) > 0 || describe_status(status) != "exit code 143";
  fmt::print("{}\n", failed ? "FAILED" : "ok");
  return failed ? 1 : 0;
}

int soak(const Options& options) {
  std::optional<TemporaryDirectory> temporary;
  if (options.directory.empty()) temporary.emplace("grapnel-soak-");
  const fs::path directory = temporary ? temporary->path() : options.directory;
  fs::create_directories(directory);
  const double seconds = options.minutes * 60;
  const double pause = std::clamp(seconds / 1800, 0.1, 2.0);

  TrainingProcess training(prepared(directory, options));
  std::vector<Holding> holdings;
  while (training.runs() && training.age() < seconds) {
    const Holding holding = training.holding();
    if (holding.resident_kb > 0 && holding.seconds > seconds * options.warmup) {
      holdings.push_back(holding);
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(pause));
  }
  // A start that takes longer than a short soak isn't cut off in the middle.
  while (training.runs() && !fs::exists(directory / "run/checkpoints/last.ckpt")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  training.signal(SIGTERM);
  const int result = report(holdings, directory / "run", training.wait());
  if (result != 0) fmt::print("{}", read_file(directory / "log", std::uint64_t{1} << 30));
  return result;
}

}  // namespace

}  // namespace grapnel::reliability

int main(int argc, char** argv) {
  using namespace grapnel::reliability;
  Options options;
  CLI::App app("Trains for a long time and measures what the process holds.", "soak");
  app.add_option("--minutes", options.minutes, "Length (default 60)")
      ->check(CLI::Range(0.01, 10000.0));
  app.add_option("--checkpoint-seconds", options.checkpoint_seconds,
                 "Seconds between two checkpoints (default 2)")
      ->check(CLI::PositiveNumber);
  app.add_option("--warmup", options.warmup, "Share of the time not measured (default 0.2)")
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--directory", options.directory, "Keep everything here");
  CLI11_PARSE(app, argc, argv);
  try {
    return soak(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "soak: error: {}\n", error.what());
    return 2;
  }
}
