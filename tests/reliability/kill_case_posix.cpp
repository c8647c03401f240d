#include "kill_case.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <stdexcept>
#include <thread>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>

#include "event_points.h"

namespace grapnel::reliability {

namespace fs = std::filesystem;

namespace {

struct Setting {
  const char* what;
  const char* callbacks;  // of run.json
};

constexpr Setting kSettings[] = {
    {"the program's default checkpoints", "{}"},
    {"a checkpoint every 7 steps, a link to the last",
     R"({"model_checkpoint": {"every_n_train_steps": 7, "save_last": "link",
         "save_on_exception": true}})"},
    {"the best two, a copy as the last",
     R"({"model_checkpoint": {"monitor": "val_loss", "save_top_k": 2, "save_last": true,
         "save_on_exception": true}})"},
    {"every epoch's, an average of the weights, early stopping",
     R"({"model_checkpoint": {"save_top_k": -1, "save_last": true}, "early_stopping":
         {"monitor": "val_loss", "patience": 3}, "ema_weight_averaging": {"decay": 0.9}})"},
    {"the best only; the program keeps the last",
     R"({"model_checkpoint": {"monitor": "val_acc", "mode": "max"},
         "learning_rate_monitor": {}})"},
};

constexpr const char* kRun = R"({{
  "seed": 5,
  "model": {{"name": "mlp", "hidden": [24], "dropout": 0.1}},
  "data": {{"name": "digits", "batch_size": 128}},
  "loggers": ["csv", "json_lines", "tensorboard"],
  "trainer": {{"max_epochs": 4, "log_every_n_steps": 2}},
  "callbacks": {}}}
)";

constexpr std::uint64_t kMaxFile = std::uint64_t{1} << 30;

std::vector<std::string> names_below(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    // An attempt's event file is named after its time and process.
    if (entry.is_directory() || name.starts_with("events.") || name == ".lock") continue;
    names.push_back(entry.path().lexically_relative(directory).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> only_in(const std::vector<std::string>& a,
                                 const std::vector<std::string>& b) {
  std::vector<std::string> only;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only));
  return only;
}

std::map<std::string, std::string> tensors_of(const fs::path& checkpoint) {
  const CheckpointFile file = CheckpointFile::open(checkpoint);
  std::map<std::string, std::string> tensors;
  for (const TensorEntry& entry : file.tensors()) {
    const auto bytes = file.bytes(entry);
    tensors[entry.name].assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return tensors;
}

// The names of tensors that differ, or that only one has.
std::vector<std::string> differing(const std::map<std::string, std::string>& a,
                                   const std::map<std::string, std::string>& b) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : a) {
    const auto other = b.find(name);
    if (other == b.end() || other->second != bytes) names.push_back(name);
  }
  for (const auto& [name, bytes] : b) {
    if (!a.contains(name)) names.push_back(name);
  }
  return names;
}

std::string text_of(const fs::path& file) {
  return fs::exists(file) ? read_file(file, kMaxFile) : std::string();
}

// The name of the file that the last process resumed from, by its log; empty: none.
std::string last_resumed_from(const fs::path& log) {
  const std::string text = text_of(log);
  const std::string words = "resuming from the checkpoint ";
  const std::size_t at = text.rfind(words);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + words.size();
  return fs::path(text.substr(begin, text.find('\n', begin) - begin)).filename().string();
}

bool has_checkpoint(const fs::path& run) {
  std::error_code none;
  const fs::directory_iterator files(run / "checkpoints", none);
  return std::any_of(begin(files), end(files), [](const auto& entry) {
    return entry.path().extension() == ".ckpt" && entry.is_regular_file();
  });
}

// The one that a resume takes.
fs::path last_of(const fs::path& run) {
  return run / "checkpoints/last.ckpt";
}

}  // namespace

int kill_settings() {
  return static_cast<int>(std::size(kSettings));
}

std::string describe_kill_setting(int setting) {
  return kSettings[setting].what;
}

bool KillOutcome::ok() const {
  return failure.empty() && other_tensors.empty() && same_csv && same_json_lines && same_points &&
         damaged.empty() && left_over.empty() && missing.empty();
}

KillCase::KillCase(fs::path directory, int setting)
    : directory_(std::move(directory)), setting_(setting) {
  fs::create_directories(directory_);
  write_file(directory_ / "run.json", fmt::format(kRun, kSettings[setting_].callbacks));
  Command undisturbed = command("whole");
  const fs::path count = directory_ / "operations";
  undisturbed.variables.emplace_back("GRAPNEL_TEST_COUNT_FILE", count.string());
  TrainingProcess training(undisturbed);
  const int status = training.wait();
  seconds_ = training.age();
  const std::string counted = text_of(count);
  if (counted.size() == sizeof operations_) {
    std::memcpy(&operations_, counted.data(), sizeof operations_);
  }
  if (status != 0 || operations_ == 0) {
    throw std::runtime_error("the undisturbed training failed: " + text_of(directory_ / "log"));
  }
}

Command KillCase::command(const std::string& run) const {
  Command command;
  command.arguments = {"fit", "--config", "run.json", "--run-dir", run};
  command.directory = directory_;
  command.log = directory_ / "log";
  for (const char* name : {"HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"}) {
    command.variables.emplace_back(name, (directory_ / "home").string());
  }
  command.variables.emplace_back("LD_PRELOAD", KILL_AT);
  if (has_checkpoint(directory_ / run)) {
    command.arguments.insert(command.arguments.end(), {"--ckpt", "last"});
  }
  return command;
}

// The command of a user whose training was killed: where nothing was saved yet, anew.
Command KillCase::resuming_command(KillOutcome& outcome) const {
  if (fs::exists(directory_ / "killed") && !has_checkpoint(directory_ / "killed")) {
    fs::remove_all(directory_ / "killed");
    ++outcome.begun_anew;
  }
  return command("killed");
}

KillCase::Place KillCase::draw(Random& random) const {
  Place place;
  if (std::bernoulli_distribution(0.6)(random)) {
    place.operation = std::uniform_int_distribution<std::int64_t>(1, operations_)(random);
  }
  place.seconds = std::uniform_real_distribution<double>(0.2, 0.9)(random) * seconds_;
  return place;
}

bool KillCase::train_and_kill(const Place& place, KillOutcome& outcome) const {
  Command killed = resuming_command(outcome);
  const bool at_operation = place.operation > 0;
  if (at_operation) {
    killed.variables.emplace_back("GRAPNEL_TEST_KILL_AT", std::to_string(place.operation));
  }
  TrainingProcess training(killed);
  if (!at_operation) {
    std::this_thread::sleep_for(std::chrono::duration<double>(place.seconds));
    training.signal(SIGKILL);
  }
  const int status = training.wait();
  note_damaged(outcome);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    ++(at_operation ? outcome.kills_at_operation : outcome.kills_at_time);
    return true;
  }
  if (status != 0) outcome.failure = describe_status(status);
  return false;
}

void KillCase::note_damaged(KillOutcome& outcome) const {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory_ / "killed/checkpoints", none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || entry.path().extension() != ".ckpt") continue;
    try {
      (void)CheckpointFile::open(entry.path());
    } catch (const Error& error) {
      outcome.damaged.push_back(fmt::format("{}: {}", name, error.what()));
    }
  }
}

KillOutcome KillCase::run(Random& random, int most_kills) {
  KillOutcome outcome;
  fs::remove_all(directory_ / "killed");
  const int wanted = std::uniform_int_distribution<int>(1, std::min(3, most_kills))(random);
  while (outcome.kills() < wanted && outcome.failure.empty()) {
    // One that ended by itself is whole, and the next command has nothing left to do.
    const bool was_killed = train_and_kill(draw(random), outcome);
    if (!was_killed && outcome.kills() > 0) break;
    if (!was_killed) fs::remove_all(directory_ / "killed");
  }
  finish(outcome);
  return outcome;
}

KillOutcome KillCase::run_killed_at(std::int64_t operation) {
  KillOutcome outcome;
  fs::remove_all(directory_ / "killed");
  train_and_kill({.operation = operation}, outcome);
  finish(outcome);
  return outcome;
}

void KillCase::finish(KillOutcome& outcome) const {
  if (!outcome.failure.empty()) return;
  const int status = TrainingProcess(resuming_command(outcome)).wait();
  if (status != 0) {
    outcome.failure = describe_status(status);
    return;
  }
  compare(outcome);
}

void KillCase::keep_as(const std::string& name) const {
  std::error_code none;
  fs::rename(directory_ / "killed", directory_ / name, none);
  fs::copy(directory_ / "log", directory_ / name, none);
}

void KillCase::compare(KillOutcome& outcome) const {
  const fs::path whole = directory_ / "whole", killed = directory_ / "killed";
  note_damaged(outcome);
  const auto same = [&](const char* name) {
    return text_of(killed / name) == text_of(whole / name) && fs::exists(killed / name);
  };
  outcome.same_csv = same("metrics.csv");
  outcome.same_json_lines = same("metrics.jsonl");
  const EventPoints points = read_event_points(killed);
  const EventPoints undisturbed = read_event_points(whole);
  outcome.same_points = points.scalars == undisturbed.scalars;
  outcome.doubled_points = points.doubled - undisturbed.doubled;
  outcome.other_tensors = fs::exists(last_of(killed))
                              ? differing(tensors_of(last_of(whole)), tensors_of(last_of(killed)))
                              : std::vector<std::string>{"all: there is no last.ckpt"};
  const auto expected = names_below(whole), found = names_below(killed);
  outcome.left_over = only_in(found, expected);
  // That one stays during the run, and the next resume removes it.
  const std::string resumed_from = last_resumed_from(directory_ / "log");
  outcome.kept = std::erase_if(outcome.left_over, [&](const std::string& name) {
    return fs::path(name).filename() == resumed_from;
  });
  outcome.missing = only_in(expected, found);
}

}  // namespace grapnel::reliability
