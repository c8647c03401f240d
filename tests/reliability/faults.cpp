// Trainings whose calls of the file system fail, one at a time: what is left, and can it be resumed?
// See README.md.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <random>

#include <grapnel/base/files.h>

#include "fault_case.h"

namespace grapnel::reliability {

namespace fs = std::filesystem;

namespace {

struct Kind {
  const char* call;
  std::vector<int> errors;
  std::vector<int> sticky;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"open", {EIO, EACCES, EROFS, EMFILE, ENOSPC, EINTR}, {EROFS}},
      {"write", {ENOSPC, EIO, EINTR, Fault::kShort}, {ENOSPC}},
      {"read", {EIO, EINTR, Fault::kShort}, {}},
      {"fsync", {EIO, ENOSPC, EINTR}, {EIO}},
      {"rename", {EIO, EACCES, EROFS, ENOSPC, EINTR}, {EIO}},
      {"close", {EIO, ENOSPC, EINTR}, {}},
      {"link", {EIO, EACCES, EROFS, ENOSPC, EINTR}, {EIO}},
      {"unlink", {EIO, EACCES, EROFS, EINTR}, {EIO}},
      {"mkdir", {EIO, EACCES, EROFS, ENOSPC, EINTR}, {EACCES}}};
  return all;
}

struct Options {
  std::string call;    // empty: all
  std::string saving;  // empty: both ways
  int cases = 0;       // drawn from all of them; 0: all of them
  std::int64_t every = 1;
  std::uint64_t seed = std::random_device()();
  fs::path directory;  // empty: a temporary one
};

std::vector<Fault> all_faults(const FaultCase& training, const Options& options) {
  std::vector<Fault> faults;
  for (const Kind& kind : kinds()) {
    if (!options.call.empty() && options.call != kind.call) continue;
    const std::int64_t calls = training.calls(kind.call);
    faults.push_back({.call = kind.call, .error = Fault::kSlow, .at = 1});
    for (std::int64_t at = 1; at <= calls; at += options.every) {
      for (const int error : kind.errors) faults.push_back({kind.call, error, false, at});
      for (const int error : kind.sticky) faults.push_back({kind.call, error, true, at});
    }
  }
  return faults;
}

struct Sum {
  int runs = 0;
  int succeeded = 0;
  int failed = 0;
  int rescued = 0;
  int wrong = 0;

  void add(const FaultOutcome& outcome) {
    ++runs;
    ++(outcome.exit_code == 0 ? succeeded : failed);
    rescued += outcome.rescued > 0 ? 1 : 0;
    wrong += outcome.mistakes.empty() ? 0 : 1;
  }
};

using Table = std::map<std::string, Sum>;

std::string row_of(const Fault& fault) {
  return fmt::format("{:<7} {}", fault.call, fault.what());
}

// The faults to try with a training, in all or as many as are wanted.
std::vector<Fault> chosen_faults(const FaultCase& training, const Options& options,
                                 std::size_t cases) {
  std::vector<Fault> faults = all_faults(training, options);
  if (cases == 0) return faults;
  std::mt19937_64 random(options.seed);
  std::vector<Fault> drawn;
  std::sample(faults.begin(), faults.end(), std::back_inserter(drawn), cases, random);
  return drawn;
}

Table meet_faults(const FaultCase& training, const std::vector<Fault>& faults) {
  Table table;
  for (const Fault& fault : faults) {
    const FaultOutcome outcome = training.run(fault);
    table[row_of(fault)].add(outcome);
    if (outcome.mistakes.empty()) continue;
    fmt::print("{} {}: {}\n", fault.call, fault.at, fault.what());
    for (const std::string& mistake : outcome.mistakes) fmt::print("  {}\n", mistake);
  }
  return table;
}

// Returns how many were wrong.
int print_table(const std::string& saving, const Table& table) {
  const auto print = [](const auto&... cells) {
    fmt::print("| {:<24} | {:>5} | {:>9} | {:>6} | {:>7} | {:>5} |\n", cells...);
  };
  Sum all;
  print(saving, "runs", "succeeded", "failed", "rescued", "wrong");
  for (const auto& [name, sum] : table) {
    print(name, sum.runs, sum.succeeded, sum.failed, sum.rescued, sum.wrong);
    all.runs += sum.runs;
    all.wrong += sum.wrong;
  }
  fmt::print("{} trainings, {} wrong\n", all.runs, all.wrong);
  return all.wrong;
}

int meet_faults(const Options& options) {
  std::optional<TemporaryDirectory> temporary;
  if (options.directory.empty()) temporary.emplace("grapnel-faults-");
  const fs::path directory = temporary ? temporary->path() : fs::absolute(options.directory);
  if (options.cases > 0) fmt::print("seed {}\n", options.seed);
  std::vector<std::string> ways = {"asynchronous", "synchronous"};
  if (!options.saving.empty()) ways = {options.saving};
  int wrong = 0;
  for (const std::string& saving : ways) {
    const FaultCase training(directory / saving, saving);
    const std::size_t cases =
        (static_cast<std::size_t>(options.cases) + ways.size() - 1) / ways.size();
    wrong += print_table(saving, meet_faults(training, chosen_faults(training, options, cases)));
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace

}  // namespace grapnel::reliability

int main(int argc, char** argv) {
  using namespace grapnel::reliability;
  Options options;
  CLI::App app("Lets calls of the file system fail in trainings.", "faults");
  app.add_option("--call", options.call, "Only of this kind: open, write, ... (default: all)");
  app.add_option("--saving", options.saving, "Of the checkpoints (default: both ways)")
      ->check(CLI::IsMember({"asynchronous", "synchronous"}));
  app.add_option("--cases", options.cases, "So many, drawn at random (default: all)");
  app.add_option("--every", options.every, "Only every so many-th call (default 1)")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "Of the drawing (default: random)");
  app.add_option("--directory", options.directory, "Keep everything here");
  CLI11_PARSE(app, argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  try {
    return meet_faults(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "faults: error: {}\n", error.what());
    return 2;
  }
}
