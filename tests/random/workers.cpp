#include "workers.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>

#include <future>
#include <stdexcept>
#include <string>
#include <vector>

#include "temp_dir.h"

namespace grapnel::random_test {

void run_workers(const Options& options, Report& report) {
  const test::TempDir directory;
  std::vector<std::filesystem::path> counts;
  std::vector<std::future<ProcessResult>> workers;
  int64_t next = 0;
  for (int job = 0; job < options.jobs; ++job) {
    const int64_t end = options.cases * (job + 1) / options.jobs;
    if (end == next) continue;
    counts.push_back(directory / fmt::format("counts-{}.json", job));
    ProcessOptions process;
    process.program = executable_path();
    process.arguments = {"--seed",   std::to_string(options.seed + static_cast<uint64_t>(next)),
                         "--cases",  std::to_string(end - next),
                         "--shrink", std::to_string(options.shrink),
                         "--counts", counts.back().string()};
    if (options.draw) {
      process.arguments.insert(process.arguments.end(), {"--draw", std::to_string(*options.draw)});
    }
    if (!options.only_stop.empty()) {
      process.arguments.insert(process.arguments.end(), {"--only", "stop=" + options.only_stop});
    }
    if (!options.without.empty()) {
      process.arguments.insert(process.arguments.end(),
                               {"--without", fmt::format("{}", fmt::join(options.without, ","))});
    }
    if (options.all) process.arguments.emplace_back("--all");
    process.deadline_seconds = 24 * 3600.0;
    workers.push_back(std::async(std::launch::async, [process] { return run_process(process); }));
    next = end;
  }
  for (size_t i = 0; i < workers.size(); ++i) {
    const ProcessResult result = workers[i].get();
    fmt::print("{}", result.output);
    if (!std::filesystem::exists(counts[i])) {
      throw std::runtime_error("a worker " + result.describe() + ": " + result.error);
    }
    report.add_counts(read_json_file(counts[i]));
  }
}

}  // namespace grapnel::random_test
