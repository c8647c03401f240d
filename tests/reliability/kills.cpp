// Trainings that are killed at random, resumed with `--ckpt last`, and killed again: what is left, and
// does it equal a training that was left alone? See README.md.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>

#include <grapnel/base/files.h>

#include "kill_case.h"

namespace grapnel::reliability {

namespace fs = std::filesystem;

namespace {

struct Options {
  int kills = 100;
  bool at_each_operation = false;
  std::uint64_t seed = std::random_device()();
  fs::path directory;  // empty: a temporary one
};

struct Sum {
  int trainings = 0, kills_at_operation = 0, kills_at_time = 0, begun_anew = 0, failed = 0;
  int same_tensors = 0, same_csv = 0, same_json_lines = 0;
  int same_points = 0, doubled_points = 0;
  std::size_t damaged = 0, kept = 0, left_over = 0, missing = 0;

  int kills() const { return kills_at_operation + kills_at_time; }

  void add(const KillOutcome& outcome) {
    ++trainings;
    kills_at_operation += outcome.kills_at_operation;
    kills_at_time += outcome.kills_at_time;
    begun_anew += outcome.begun_anew;
    failed += outcome.failure.empty() ? 0 : 1;
    same_tensors += outcome.failure.empty() && outcome.other_tensors.empty() ? 1 : 0;
    same_csv += outcome.same_csv ? 1 : 0;
    same_json_lines += outcome.same_json_lines ? 1 : 0;
    same_points += outcome.same_points ? 1 : 0;
    doubled_points += outcome.doubled_points;
    damaged += outcome.damaged.size();
    kept += outcome.kept;
    left_over += outcome.left_over.size();
    missing += outcome.missing.size();
  }
};

void print_table(const Sum& sum) {
  const auto row = [](const char* name, const std::string& value) {
    fmt::print("| {:<52}| {:<12}|\n", name, value);
  };
  const auto of_all = [&](int count) { return fmt::format("{} of {}", count, sum.trainings); };
  row("trainings", std::to_string(sum.trainings));
  row("SIGKILLs at a random file operation", std::to_string(sum.kills_at_operation));
  row("SIGKILLs at a random time", std::to_string(sum.kills_at_time));
  row("begun anew, because nothing was saved yet", std::to_string(sum.begun_anew));
  row("resumes or ends that failed", std::to_string(sum.failed));
  row("same tensors in last.ckpt, byte by byte", of_all(sum.same_tensors));
  row("same metrics.csv, byte by byte", of_all(sum.same_csv));
  row("same metrics.jsonl, byte by byte", of_all(sum.same_json_lines));
  row("same scalars in TensorBoard's files", of_all(sum.same_points));
  row("scalars of one tag and step that stand there twice", std::to_string(sum.doubled_points));
  row("damaged checkpoints, after any kill", std::to_string(sum.damaged));
  row("files kept because the last resume was from them", std::to_string(sum.kept));
  row("other files left over", std::to_string(sum.left_over));
  row("files missing", std::to_string(sum.missing));
}

void print_differences(const KillOutcome& outcome, int number, int setting) {
  fmt::print("training {} ({}; {} kills):\n", number, describe_kill_setting(setting),
             outcome.kills());
  if (!outcome.failure.empty()) fmt::print("  failed: {}\n", outcome.failure);
  for (const std::string& name : outcome.other_tensors) {
    fmt::print("  another tensor in last.ckpt: {}\n", name);
  }
  if (!outcome.same_csv) fmt::print("  another metrics.csv\n");
  if (!outcome.same_json_lines) fmt::print("  another metrics.jsonl\n");
  if (!outcome.same_points) fmt::print("  other scalars in TensorBoard's files\n");
  for (const std::string& text : outcome.damaged) fmt::print("  damaged: {}\n", text);
  for (const std::string& name : outcome.left_over) fmt::print("  left over: {}\n", name);
  for (const std::string& name : outcome.missing) fmt::print("  missing: {}\n", name);
}

// The trainings of one call of the program.
class Kills {
 public:
  explicit Kills(const Options& options) : options_(options), random_(options.seed) {
    if (options.directory.empty()) temporary_.emplace("grapnel-kills-");
    directory_ = temporary_ ? temporary_->path() : options.directory;
  }

  // Both: false when something differed.
  bool at_random() {
    fmt::print("seed {}\n", options_.seed);
    while (sum_.kills() < options_.kills && sum_.failed == 0) {
      const int setting = std::uniform_int_distribution<int>(0, kill_settings() - 1)(random_);
      note(setting, kill_case(setting).run(random_, options_.kills - sum_.kills()));
    }
    return end();
  }
  bool at_each_operation() {
    for (int setting = 0; setting < kill_settings(); ++setting) {
      KillCase& one = kill_case(setting);
      for (std::int64_t at = 1; at <= one.operations(); ++at) note(setting, one.run_killed_at(at));
    }
    return end();
  }

 private:
  KillCase& kill_case(int setting) {
    std::unique_ptr<KillCase>& one = cases_[setting];
    if (one == nullptr) {
      one = std::make_unique<KillCase>(directory_ / fmt::format("setting-{}", setting), setting);
    }
    return *one;
  }
  void note(int setting, const KillOutcome& outcome) {
    sum_.add(outcome);
    if (outcome.ok()) return;
    differs_ = true;
    print_differences(outcome, sum_.trainings, setting);
    if (!temporary_) kill_case(setting).keep_as(fmt::format("training-{}", sum_.trainings));
  }
  bool end() const {
    print_table(sum_);
    fmt::print("{}\n", differs_ ? "FAILED" : "ok");
    return !differs_;
  }

  Options options_;
  std::optional<TemporaryDirectory> temporary_;
  fs::path directory_;
  Random random_;
  std::map<int, std::unique_ptr<KillCase>> cases_;
  Sum sum_;
  bool differs_ = false;
};

}  // namespace

}  // namespace grapnel::reliability

int main(int argc, char** argv) {
  using namespace grapnel::reliability;
  Options options;
  CLI::App app("Kills trainings at random, resumes them, and compares.", "kills");
  app.add_option("--kills", options.kills, "How many (default 100)")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "Of the random places (default: random)");
  app.add_option("--directory", options.directory, "Keep everything here, also what differs");
  app.add_flag("--at-each-operation", options.at_each_operation,
               "Kill each kind of training at each of its file operations instead");
  CLI11_PARSE(app, argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  try {
    Kills kills(options);
    return (options.at_each_operation ? kills.at_each_operation() : kills.at_random()) ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "kills: error: {}\n", error.what());
    return 2;
  }
}
