// random_resume: random trainings, stopped at random places and resumed, must end as the same ones that
// were never stopped (README.md).
//
//   random_resume --cases 1000            a thousand cases, from a seed that is printed
//   random_resume --seed 17               one case again
//   random_resume --cases 500 --all       with what is known not to be exact yet
//
// Prints every case that differs with its plan, and a table of all at the end. Exits with 1 when one
// differs.
#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include "child_training.h"
#include "not_yet.h"
#include "options.h"
#include "plan.h"
#include "report.h"
#include "resume_case.h"
#include "shrink.h"
#include "temp_dir.h"
#include "workers.h"

namespace grapnel::random_test {

namespace {

// Plans of one seed, until one of them counts.
constexpr int kMostDraws = 60;

void take_out_named(Plan& plan, const std::string& piece) {
  if (take_out(plan, piece)) return;
  for (const char* section : {"callbacks.", "plugins.", "loggers."}) {
    if (take_out(plan, section + piece)) return;
  }
}

void run_seed(uint64_t seed, const Options& options, const std::filesystem::path& workspace,
              Report& report) {
  // A plan that is asked for by its number is run whatever is known of it.
  const bool all = options.all || options.draw.has_value();
  const int first = options.draw.value_or(0);
  const int last = options.draw ? first : kMostDraws;
  for (int draw = first; draw <= last; ++draw) {
    Plan plan = draw_plan(seed, draw, options.only_stop);
    for (const std::string& piece : options.without) take_out_named(plan, piece);
    if (!all) {
      if (const auto reason = not_exact_yet(plan, nullptr)) {
        report.left_out(*reason);
        continue;
      }
    }
    CaseResult result = run_case(plan, workspace, all);
    report.add(plan, result);
    if (result.status == CaseResult::Status::same) return;
    if (result.status != CaseResult::Status::differs) continue;
    if (report.differing() <= options.shrink) {
      plan = shrink(plan, result.differences[0].what, workspace, all);
      result = run_case(plan, workspace, all);
    }
    report.show(plan, result);
    return;
  }
}

int run(const Options& options) {
  Report report;
  if (options.jobs > 1) {
    run_workers(options, report);
  } else {
    const test::TempDir workspace;
    for (int64_t i = 0; i < options.cases; ++i) {
      run_seed(options.seed + static_cast<uint64_t>(i), options, workspace.path(), report);
    }
  }
  if (options.counts_file.empty()) {
    report.print_table();
  } else {
    std::ofstream(options.counts_file) << write_json(report.counts());
  }
  return report.differing() == 0 ? 0 : 1;
}

}  // namespace

}  // namespace grapnel::random_test

int main(int argc, char** argv) {
  using namespace grapnel::random_test;
  try {
    const Options options = parse_options(argc, argv);
    at::set_num_threads(1);
    if (!options.child.empty()) return child_main(options.child);
    if (options.counts_file.empty()) {
      fmt::print("random_resume: {} case{} from seed {}\n", options.cases,
                 options.cases == 1 ? "" : "s", options.seed);
      std::fflush(stdout);
    }
    return run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "random_resume: {}\n", error.what());
    return 2;
  }
}
