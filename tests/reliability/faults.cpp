// Trainings whose calls of the file system fail, one at a time: what is left, and can it be resumed?
// See README.md.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
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
      {"write", {ENOSPC, EIO, EINTR, 0}, {ENOSPC}},
      {"read", {EIO, EINTR, 0}, {}},
      {"fsync", {EIO, ENOSPC, EINTR}, {EIO}},
      {"rename", {EIO, EACCES, EROFS, ENOSPC, EINTR}, {EIO}},
      {"close", {EIO, ENOSPC, EINTR}, {}},
      {"link", {EIO, EACCES, EROFS, ENOSPC, EINTR}, {EIO}},
      {"unlink", {EIO, EACCES, EROFS, EINTR}, {EIO}},
      {"mkdir", {EIO, EACCES, EROFS, ENOSPC, EINTR}, {EACCES}}};
  return all;
}

struct Options {
  std::string call;  // empty: all
  int cases = 0;     // drawn from all of them; 0: all of them
  std::int64_t every = 1;
  std::uint64_t seed = std::random_device()();
  fs::path directory;  // empty: a temporary one
};

std::vector<Fault> all_faults(const FaultCase& training, const Options& options) {
  std::vector<Fault> faults;
  for (const Kind& kind : kinds()) {
    if (!options.call.empty() && options.call != kind.call) continue;
    const std::int64_t calls = training.calls(kind.call);
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
};

std::string row_of(const Fault& fault) {
  return fmt::format("{:<7} {}{}", fault.call,
                     fault.error == 0 ? "short" : strerrorname_np(fault.error),
                     fault.is_sticky ? " for ever" : "");
}

int meet_faults(const Options& options) {
  std::optional<TemporaryDirectory> temporary;
  if (options.directory.empty()) temporary.emplace("grapnel-faults-");
  const FaultCase training(temporary ? temporary->path() : fs::absolute(options.directory));
  std::vector<Fault> faults = all_faults(training, options);
  if (options.cases > 0) {
    fmt::print("seed {}\n", options.seed);
    std::mt19937_64 random(options.seed);
    std::vector<Fault> drawn;
    std::sample(faults.begin(), faults.end(), std::back_inserter(drawn), options.cases, random);
    faults = std::move(drawn);
  }
  std::map<std::string, Sum> table;
  int wrong = 0;
  for (const Fault& fault : faults) {
    const FaultOutcome outcome = training.run(fault);
    Sum& sum = table[row_of(fault)];
    ++sum.runs;
    ++(outcome.exit_code == 0 ? sum.succeeded : sum.failed);
    sum.rescued += outcome.rescued > 0 ? 1 : 0;
    if (outcome.mistakes.empty()) continue;
    ++sum.wrong;
    ++wrong;
    fmt::print("{}\n", fault.describe());
    for (const std::string& mistake : outcome.mistakes) fmt::print("  {}\n", mistake);
    std::fflush(stdout);
  }
  fmt::print("| {:<24} | {:>5} | {:>9} | {:>6} | {:>7} | {:>5} |\n", "fault", "runs", "succeeded",
             "failed", "rescued", "wrong");
  for (const auto& [name, sum] : table) {
    fmt::print("| {:<24} | {:>5} | {:>9} | {:>6} | {:>7} | {:>5} |\n", name, sum.runs,
               sum.succeeded, sum.failed, sum.rescued, sum.wrong);
  }
  fmt::print("{} trainings, {} wrong\n", faults.size(), wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace

}  // namespace grapnel::reliability

int main(int argc, char** argv) {
  using namespace grapnel::reliability;
  Options options;
  CLI::App app("Lets calls of the file system fail in trainings.", "faults");
  app.add_option("--call", options.call, "Only of this kind: open, write, ... (default: all)");
  app.add_option("--cases", options.cases, "So many, drawn at random (default: all)");
  app.add_option("--every", options.every, "Only every so many-th call (default 1)")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "Of the drawing (default: random)");
  app.add_option("--directory", options.directory, "Keep everything here");
  CLI11_PARSE(app, argc, argv);
  try {
    return meet_faults(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "faults: error: {}\n", error.what());
    return 2;
  }
}
