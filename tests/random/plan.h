// A random training and the places where it is stopped, as one JSON document:
//
//   "model"      sizes, batch normalization, dropout, what it skips and logs (planned_model.h)
//   "optimizer"  as in run.json; "optimizers": 2 in "model" makes two of them, stepped by the module
//   "scheduler"  as in run.json
//   "data"       kind and size of the training loader, sizes of the validation loaders
//   "trainer"    as in run.json
//   "callbacks"  built-in callbacks as in run.json, with their filters; "counter" is the tester's own
//   "plugins"    shipped plugins as in run.json
//   "loggers"    as in run.json; rows are also kept in memory
//   "keeper"     the callback that writes the checkpoints to resume from (none for stops of the kind
//                "checkpoint")
//   "probe"      where in the list of callbacks the probe has its place, 0 to 1
//   "stops"      one or more, in the order in which they come (see Stop)
//
// Texts may contain $RUN, the run's directory. Every section, and every member of one, may be missing
// and has a default then: that lets shrink() drop pieces one at a time.
#pragma once

#include <grapnel/base/json.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace grapnel::random_test {

struct Plan {
  uint64_t seed = 0;
  // Which of the seed's plans: the first is 0; others are drawn when that one is left out.
  int draw = 0;
  std::string only_stop = {};             // the one kind of stop that was drawn; empty: any
  std::vector<std::string> without = {};  // paths of pieces taken out
  ConfigValue document = {};

  bool has(std::string_view path) const { return find_by_path(document, path) != nullptr; }
  int64_t integer(std::string_view path, int64_t fallback) const;
  double number(std::string_view path, double fallback) const;
  bool flag(std::string_view path) const;  // false when it is missing
  std::string text(std::string_view path, std::string_view fallback) const;
};

// How a run is stopped. Where: the call of `hook` that lies at the share `at` of all its calls in the
// undisturbed run.
//
//   checkpoint    a checkpoint is written in the hook, and the process is gone right after it
//   exception     the hook throws
//   interrupt     Trainer::interrupt(SIGTERM) in the hook
//   request_stop  a stop request in the hook
//   max_steps, max_epochs, max_time   the run has this limit, at the share `at` of the whole
//   kill_file     a child process is killed at the share `at` of its file operations
//   kill_hook     a child process is killed in the hook
struct Stop {
  std::string kind;
  std::string hook;
  double at = 0;
};

const std::vector<std::string>& kinds_of_stop();
std::vector<Stop> stops_of(const Plan& plan);

// only_stop: empty, or the one kind that is drawn.
Plan draw_plan(uint64_t seed, int draw, std::string_view only_stop = {});

// Takes the piece at a path out ("callbacks.timer", "scheduler"); false when there was none.
bool take_out(Plan& plan, const std::string& path);
// Every path that take_out() accepts and that leaves a plan that can be run.
std::vector<std::string> pieces(const Plan& plan);

// Where the probe has its place among `callbacks` callbacks of the user.
size_t place_of_probe(const Plan& plan, size_t callbacks);

// For people.
std::string describe(const Plan& plan);
// The command that repeats it.
std::string command(const Plan& plan);

// The document with $RUN replaced.
ConfigValue with_run_directory(const ConfigValue& value, const std::filesystem::path& directory);

}  // namespace grapnel::random_test
