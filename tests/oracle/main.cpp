// grapnel-oracle: plays recorded cases through the library's public functions and compares.
//
//   grapnel-oracle tests/oracle/cases --group early_stopping
//
// Prints a line per failing case with the first difference, then the deviations by rule, and closes
// with "N passed, N failed, N skipped". Exits with 0 only if nothing failed.
#include <fmt/core.h>
#include <grapnel/base/error.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "case.h"
#include "deviations.h"
#include "worker.h"

namespace {

using grapnel::oracle::Case;
using grapnel::oracle::Verdict;

struct Options {
  std::vector<std::filesystem::path> paths;
  std::vector<std::string> names;
  std::vector<std::string> groups;
  bool verbose = false;
  bool child = false;
  int jobs = 1;
};

bool chosen(const Case& test, const Options& options) {
  const auto in = [](const std::string& text, const std::vector<std::string>& list) {
    return list.empty() || std::find(list.begin(), list.end(), text) != list.end();
  };
  return in(test.name, options.names) && in(test.group, options.groups);
}

class Report {
 public:
  explicit Report(bool verbose) : verbose_(verbose) {}

  void add(const Case& test, const Verdict& verdict) {
    switch (verdict.status) {
      case Verdict::Status::passed:
        ++passed_;
        if (!verdict.rule.empty()) by_rule_[verdict.rule].push_back(test.name);
        if (verbose_) fmt::print("passed  {}\n", test.name);
        break;
      case Verdict::Status::skipped:
        ++skipped_;
        if (verbose_) fmt::print("skipped {}\n", test.name);
        break;
      case Verdict::Status::failed:
        ++failed_;
        fmt::print("FAILED  {}: {}\n", test.name,
                   verdict.problems.empty() ? "no problem was named" : verdict.problems[0]);
        if (verbose_) show_rest(verdict);
        break;
    }
  }

  // True when nothing failed.
  bool close() const {
    std::size_t deviating = 0;
    for (const auto& rule : grapnel::oracle::deviations()) {
      const auto found = by_rule_.find(std::string(rule.name));
      if (found == by_rule_.end()) continue;
      deviating += found->second.size();
      fmt::print("deviation {}: {} case{} ({})\n", rule.name, found->second.size(),
                 found->second.size() == 1 ? "" : "s", rule.why);
      if (verbose_) {
        for (const std::string& name : found->second) fmt::print("  {}\n", name);
      }
    }
    if (deviating > 0) fmt::print("of the passed, {} by deviation rules\n", deviating);
    fmt::print("{} passed, {} failed, {} skipped\n", passed_, failed_, skipped_);
    return failed_ == 0;
  }

 private:
  static void show_rest(const Verdict& verdict) {
    for (std::size_t i = 1; i < verdict.problems.size(); ++i) {
      fmt::print("        also: {}\n", verdict.problems[i]);
    }
    for (const std::string& line : verdict.log) fmt::print("        log: {}\n", line);
  }

  bool verbose_;
  std::size_t passed_ = 0;
  std::size_t failed_ = 0;
  std::size_t skipped_ = 0;
  std::map<std::string, std::vector<std::string>> by_rule_;
};

int run(const Options& options) {
  if (options.child) return grapnel::oracle::run_as_child(options.paths);
  std::vector<Case> cases;
  for (const auto& file : grapnel::oracle::case_files(options.paths)) {
    Case test = grapnel::oracle::read_case(file);
    if (chosen(test, options)) cases.push_back(std::move(test));
  }
  if (cases.empty()) throw grapnel::Error("no case was chosen");
  Report report(options.verbose);
  grapnel::oracle::run_in_children(
      cases, options.jobs,
      [&](const Case& test, const Verdict& verdict) { report.add(test, verdict); });
  return report.close() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Plays recorded cases of Lightning and compares");
  app.add_option("path", options.paths, "Case files, or directories of them")->required();
  app.add_option("--case", options.names, "Only cases of these names")->allow_extra_args(false);
  app.add_option("--group", options.groups, "Only cases of these groups")->allow_extra_args(false);
  app.add_flag("--verbose", options.verbose, "All differences of a case, and what was logged");
  app.add_option("--jobs", options.jobs, "Processes at a time")->check(CLI::Range(1, 256));
  app.add_flag("--child", options.child, "Run the files' cases here and report in JSON lines");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "grapnel-oracle: {}\n", error.what());
    return 2;
  }
}
