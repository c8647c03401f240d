#include "run_case.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>

#include <exception>
#include <filesystem>

#include "compare.h"
#include "deviations.h"
#include "exceptions.h"
#include "sequence.h"
#include "units/units.h"

namespace grapnel::oracle {
namespace {

// Makes a directory the working one for a scope.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::filesystem::path& directory)
      : previous_(std::filesystem::current_path()) {
    std::filesystem::current_path(directory);
  }
  ~WorkingDirectory() { std::filesystem::current_path(previous_); }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

 private:
  std::filesystem::path previous_;
};

// What a case before this one may have left in the process.
void reset_process() {
  at::set_num_threads(1);
  at::manual_seed(0);
}

}  // namespace

Json observe_case(const Case& test, std::vector<std::string>& log) {
  reset_process();
  const OnceScope once;
  const TemporaryDirectory temporary("grapnel-oracle-");
  const std::filesystem::path directory = real_path(temporary.path());
  const WorkingDirectory there(directory);
  const Case placed = test.in_directory(directory);

  if (placed.is_unit()) {
    const auto capture = std::make_shared<test::LogRecorder>(LogLevel::info);
    const ScopedLogSink sink(capture);
    Journal journal(placed);
    Json observed = run_unit(placed, journal);
    observed.set("trace", journal.trace());
    Json warnings = Json::array();
    for (const auto& line : capture->messages()) {
      log.push_back(line.text);
      if (line.level == LogLevel::warning) warnings.append(line.text);
    }
    observed.set("warnings", std::move(warnings));
    return replace_text(observed, directory.string(), "{DIR}");
  }

  Player player(placed, directory);
  player.play();
  for (const auto& line : player.log_messages()) {
    log.push_back(std::string(to_string(line.level)) + ": " + line.text);
  }
  return player.observed();
}

Verdict run_case(const Case& test) {
  Verdict verdict;
  if (test.python_only) {
    verdict.status = Verdict::Status::skipped;
    return verdict;
  }
  try {
    const Json observed = observe_case(test, verdict.log);
    verdict.problems = differences(test, test.expect(), observed);
    if (verdict.problems.empty()) {
      verdict.status = Verdict::Status::passed;
      return verdict;
    }
    for (const Deviation& deviation : deviations()) {
      if (!deviation.applies(test)) continue;
      const std::vector<std::string> problems = deviation.check(test, observed);
      if (problems.empty()) {
        verdict.status = Verdict::Status::passed;
        verdict.rule = deviation.name;
        verdict.problems.clear();
        return verdict;
      }
      for (const std::string& problem : problems) {
        verdict.problems.push_back("by rule " + std::string(deviation.name) + ": " + problem);
      }
    }
  } catch (...) {
    const Thrown thrown = describe(std::current_exception());
    verdict.problems.insert(verdict.problems.begin(), thrown.type + ": " + thrown.message);
  }
  return verdict;
}

}  // namespace grapnel::oracle
