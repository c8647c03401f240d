#include "fault_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <stdexcept>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>

namespace grapnel::reliability {

namespace fs = std::filesystem;

namespace {

constexpr int kFilesFailed = 6;  // the exit code

constexpr const char* kRun = R"({
  "seed": 5,
  "model": {"name": "mlp", "hidden": [12]},
  "data": {"name": "digits", "batch_size": 256},
  "loggers": ["csv", "json_lines"],
  "trainer": {"log_every_n_steps": 1}
}
)";

using Tensors = std::map<std::string, std::string>;

Tensors tensors_of(const fs::path& checkpoint) {
  const CheckpointFile file = CheckpointFile::open(checkpoint);
  Tensors tensors;
  for (const TensorEntry& entry : file.tensors()) {
    const auto bytes = file.bytes(entry);
    tensors[entry.name].assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return tensors;
}

bool is_checkpoint(const fs::directory_entry& entry) {
  return entry.path().extension() == ".ckpt" && !entry.path().filename().string().starts_with('.');
}

std::int64_t step_of(const fs::path& checkpoint) {
  return CheckpointFile::open(checkpoint).document().at("checkpoint").at("global_step").as_int();
}

// The steps whose metrics are in the table; its columns come in any order, "step" is one of them.
std::int64_t logged_steps(const fs::path& table) {
  std::error_code none;
  if (!fs::exists(table, none)) return 0;
  const auto fields = [](const std::string& line) {
    std::vector<std::string> all;
    std::istringstream text(line);
    for (std::string field; std::getline(text, field, ',');) all.push_back(field);
    return all;
  };
  std::istringstream lines(read_file(table, std::uint64_t{1} << 24));
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> names = fields(line);
  const auto column = std::find(names.begin(), names.end(), "step") - names.begin();
  std::int64_t steps = 0;
  while (std::getline(lines, line)) {
    const std::vector<std::string> row = fields(line);
    if (column < std::ssize(row))
      steps = std::max<std::int64_t>(steps, std::atoll(row[column].c_str()) + 1);
  }
  return steps;
}

// Why the training ended: "grapnel: error: ..." at the start of a line. What is missing from the logs
// is told besides, and ends no training.
std::vector<std::string> errors_in(const std::string& text) {
  std::vector<std::string> errors;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool is_about_logs = line.find(" logs") != std::string::npos;
    if (line.starts_with("grapnel: error:") && !is_about_logs) errors.push_back(line);
  }
  return errors;
}

void copy_to(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  if (fs::exists(from)) {
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  }
}

}  // namespace

bool Fault::is_invisible() const {
  return !is_sticky && (error == kShort || error == kSlow || error == EINTR);
}

std::string Fault::what() const {
  if (error == kShort) return "short";
  if (error == kSlow) return "slow";
  return fmt::format("{}{}", strerrorname_np(error), is_sticky ? " for ever" : "");
}

FaultCase::FaultCase(fs::path directory, std::string saving)
    : directory_(std::move(directory)), saving_(std::move(saving)) {
  fs::remove_all(directory_);  // of a call of the program before
  for (const char* name : {"home", "work", "tmp"}) fs::create_directories(directory_ / name);
  write_file(directory_ / "run.json", kRun);
  const auto trained = [&](const char* epochs) {
    const ProcessResult result =
        run_process({.program = GRAPNEL,
                     .arguments = arguments(epochs),
                     .environment = {{"HOME", (directory_ / "home").string()}},
                     .working_directory = directory_ / "work",
                     .deadline_seconds = 300});
    if (!result.ok()) throw std::runtime_error("the undisturbed training failed: " + result.error);
  };
  trained("2");
  copy_to(directory_ / "run", directory_ / "half");
  fs::remove_all(directory_ / "run");
  trained("4");
  copy_to(directory_ / "run", directory_ / "whole");
}

std::vector<std::string> FaultCase::arguments(const char* epochs) const {
  return {"fit",       "--quiet",
          "--config",  (directory_ / "run.json").string(),
          "--run-dir", (directory_ / "run").string(),
          "--set",     "trainer.checkpoint_saving=" + saving_,
          "--set",     std::string("trainer.max_epochs=") + epochs};
}

void FaultCase::prepare(const std::string& call) const {
  for (const char* name : {"work", "tmp"}) {
    fs::remove_all(directory_ / name);
    fs::create_directories(directory_ / name);
  }
  fs::remove_all(directory_ / "run");
  if (!begins_anew(call)) copy_to(directory_ / "half", directory_ / "run");
}

ProcessResult FaultCase::train(
    const std::vector<std::pair<std::string, std::string>>& variables) const {
  ProcessOptions options;
  options.program = GRAPNEL;
  options.arguments = arguments("4");
  std::error_code none;
  if (fs::exists(directory_ / "run/checkpoints/last.ckpt", none)) {
    options.arguments.insert(options.arguments.end(), {"--ckpt", "last"});
  }
  options.environment = variables;
  options.environment.emplace_back("HOME", (directory_ / "home").string());
  options.environment.emplace_back("TMPDIR", (directory_ / "tmp").string());
  options.working_directory = directory_ / "work";
  options.deadline_seconds = 300;
  return run_process(options);
}

std::int64_t FaultCase::calls(const std::string& call) const {
  prepare(call);
  const fs::path count = directory_ / "count";
  const ProcessResult result = train({{"LD_PRELOAD", FAULT_SHIM},
                                      {"GRAPNEL_TEST_FAULT_BELOW", (directory_ / "run").string()},
                                      {"GRAPNEL_TEST_FAULT_CALL", call},
                                      {"GRAPNEL_TEST_COUNT_FILE", count.string()}});
  if (!result.ok()) throw std::runtime_error("the undisturbed training failed: " + result.error);
  const std::int64_t found = std::atoll(read_file(count, 100).c_str());
  if (found == 0) throw std::runtime_error("the undisturbed training made no call of " + call);
  return found;
}

FaultOutcome FaultCase::run(const Fault& fault) const {
  prepare(fault.call);
  FaultOutcome outcome;
  std::vector<std::pair<std::string, std::string>> variables = {
      {"LD_PRELOAD", FAULT_SHIM},
      {"GRAPNEL_TEST_FAULT_BELOW", (directory_ / "run").string()},
      {"GRAPNEL_TEST_FAULT_CALL", fault.call}};
  if (fault.error == Fault::kSlow) {
    variables.emplace_back("GRAPNEL_TEST_FAULT_SLOW_MS", "50");
  } else {
    variables.emplace_back("GRAPNEL_TEST_FAULT_AT", std::to_string(fault.at));
    variables.emplace_back("GRAPNEL_TEST_FAULT_ERROR", std::to_string(fault.error));
  }
  if (fault.is_sticky) variables.emplace_back("GRAPNEL_TEST_FAULT_STICKY", "1");
  const ProcessResult result = train(variables);
  check_after_fault(fault, result, outcome);
  const ProcessResult resumed = train({});
  if (!resumed.ok()) {
    outcome.mistakes.push_back("the resume " + resumed.describe() + ": " + resumed.error);
    return outcome;
  }
  check_after_resume(outcome);
  return outcome;
}

void FaultCase::check_after_fault(const Fault& fault, const ProcessResult& result,
                                  FaultOutcome& outcome) const {
  auto& mistakes = outcome.mistakes;
  outcome.exit_code = result.exit_code;
  if (result.end != ProcessResult::End::exited) {
    mistakes.push_back("the training " + result.describe());
  }
  check_error(fault, result, outcome);
  std::error_code none;
  int whole = 0;
  for (const auto& entry : fs::directory_iterator(directory_ / "run/checkpoints", none)) {
    if (!is_checkpoint(entry)) continue;
    try {
      static_cast<void>(CheckpointFile::open(entry.path()));
      ++whole;
    } catch (const Error& error) {
      mistakes.push_back(fmt::format("after exit code {}: {}", result.exit_code, error.what()));
    }
  }
  if (!begins_anew(fault.call) && whole == 0) mistakes.push_back("no checkpoint is left");
  if (mistakes.empty()) check_nothing_lost(outcome);
  for (const char* place : {"work", "tmp"}) {
    for (const auto& entry : fs::directory_iterator(directory_ / place)) {
      if (entry.path().extension() != ".ckpt") continue;
      static_cast<void>(CheckpointFile::open(entry.path()));
      ++outcome.rescued;
      if (result.error.find(entry.path().filename().string()) == std::string::npos) {
        mistakes.push_back("a rescued state is not named: " + result.error);
      }
    }
  }
}

void FaultCase::check_error(const Fault& fault, const ProcessResult& result,
                            FaultOutcome& outcome) const {
  auto& mistakes = outcome.mistakes;
  const auto errors = errors_in(result.error);
  if (fault.is_invisible() && result.exit_code != 0) {
    mistakes.push_back("the training failed: " + result.error);
  }
  if (errors.size() != (result.exit_code == 0 ? 0 : 1)) {
    mistakes.push_back(fmt::format("exit code {} with {} errors: {}", result.exit_code,
                                   errors.size(), result.error));
  }
  if (result.exit_code != 0 && result.exit_code != kFilesFailed) {
    mistakes.push_back(fmt::format("exit code {} instead of {}: {}", result.exit_code, kFilesFailed,
                                   result.error));
  }
  for (const std::string& error : errors) {
    const bool says_why = error.find(std::strerror(fault.error)) != std::string::npos;
    const bool says_where = error.find((directory_ / "run").string()) != std::string::npos;
    if (!says_why || !says_where)
      mistakes.push_back("an error without a cause or a path: " + error);
  }
  if (result.error.find("filesystem error") != std::string::npos) {
    mistakes.push_back("an error of the C++ library: " + result.error);
  }
}

void FaultCase::check_nothing_lost(FaultOutcome& outcome) const {
  std::error_code none;
  std::int64_t saved = 0;
  for (const char* place : {"run", "run/checkpoints", "work", "tmp"}) {
    for (const auto& entry : fs::directory_iterator(directory_ / place, none)) {
      if (is_checkpoint(entry)) saved = std::max(saved, step_of(entry.path()));
    }
  }
  const std::int64_t trained = logged_steps(directory_ / "run/metrics.csv");
  if (saved < trained) {
    outcome.mistakes.push_back(fmt::format("exit code {}: {} steps were trained, and {} saved",
                                           outcome.exit_code, trained, saved));
  }
}

void FaultCase::check_after_resume(FaultOutcome& outcome) const {
  const fs::path last = directory_ / "run/checkpoints/last.ckpt";
  std::error_code none;
  if (!fs::exists(last, none)) {
    outcome.mistakes.push_back("after the resume there is no last.ckpt");
  } else if (tensors_of(last) != tensors_of(directory_ / "whole/checkpoints/last.ckpt")) {
    outcome.mistakes.push_back("the resumed training ended with other tensors");
  }
  for (const auto& entry : fs::recursive_directory_iterator(directory_ / "run")) {
    const std::string name = entry.path().filename().string();
    if (name.find(".tmp-") != std::string::npos || name.ends_with(".new")) {
      outcome.mistakes.push_back("left over: " + name);
    }
  }
}

}  // namespace grapnel::reliability
