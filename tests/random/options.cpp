#include "options.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <random>

#include "plan.h"

namespace grapnel::random_test {

Options parse_options(int argc, char** argv) {
  Options options;
  CLI::App app("Random trainings, stopped at random places and resumed, against undisturbed ones.");
  std::optional<uint64_t> seed;
  std::optional<int64_t> cases;
  std::string only;
  app.add_option("--seed", seed, "Seed of the first case; the others count up. Default: random.");
  app.add_option("--cases", cases, "Cases to run. Default: 100, or 1 with --seed.")
      ->check(CLI::PositiveNumber);
  app.add_option("--draw", options.draw, "Only this plan of the seed, counted from 0.")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--jobs", options.jobs, "Processes that share the cases.")
      ->check(CLI::Range(1, 256));
  app.add_option("--only", only, "stop=KIND: only stops of this kind.");
  app.add_option("--without", options.without,
                 "Pieces to leave out: a section (callbacks), one of its members "
                 "(callbacks.timer, or timer), or an option of one (trainer.max_steps).")
      ->delimiter(',');
  app.add_flag("--all", options.all, "Also what is known not to be resumed exactly yet.");
  app.add_option("--shrink", options.shrink, "Differing cases to make smaller, the first ones.")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--counts", options.counts_file)->group("");
  app.add_option("--child", options.child)->group("");
  try {
    app.parse(argc, argv);
    if (!only.empty()) {
      const auto& kinds = kinds_of_stop();
      const bool known = only.starts_with("stop=") &&
                         std::find(kinds.begin(), kinds.end(), only.substr(5)) != kinds.end();
      if (!known) {
        throw CLI::ValidationError(
            fmt::format("--only must be stop=KIND with one of {}", fmt::join(kinds, ", ")));
      }
      options.only_stop = only.substr(5);
    }
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  options.cases = cases.value_or(seed ? 1 : 100);
  options.seed = seed ? *seed : std::random_device{}();
  return options;
}

}  // namespace grapnel::random_test
