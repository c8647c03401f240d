// The command line of random_resume.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace grapnel::random_test {

struct Options {
  uint64_t seed = 0;  // of the first case; the next ones count up
  int64_t cases = 1;
  std::optional<int> draw = {};            // this plan of the seed alone, whatever is known of it
  int jobs = 1;                            // processes
  std::string only_stop = {};              // a kind of stop; empty: all
  std::vector<std::string> without = {};   // pieces taken out of every plan
  bool all = false;                        // ignore what is known not to be exact yet
  int64_t shrink = 3;                      // how many of the differing cases to make smaller
  std::filesystem::path counts_file = {};  // of a worker: where its counts go
  std::filesystem::path child = {};        // of a child process: what it trains
};

// Ends the process for --help and for what is not acceptable.
Options parse_options(int argc, char** argv);

}  // namespace grapnel::random_test
