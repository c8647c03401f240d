// What happens while a case runs, and the actions that its script wants at certain moments.
//
// The case's own module, data module, callbacks and loggers report here: each trace entry as it is
// entered, each loss as it is computed. Everything a case may ask for (raising, stopping, saving) is
// done from inside the hook that was entered, through the trainer's public functions.
#pragma once

#include <grapnel/base/clock.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "case.h"

namespace grapnel {
class Trainer;
}

namespace grapnel::oracle {

// What scripts raise. The names are the recorded ones, so that on_exception reports them alike.
class RuntimeError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
class ValueError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
// An end that the module's own code asks for, not a signal.
class SystemExit : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Journal {
 public:
  // `test` must have its directory filled in and outlive the journal.
  explicit Journal(const Case& test) : test_(test) {}
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const Case& test() const { return test_; }

  // Appends "who.hook(arguments)", then does what the script wants there. Returns the value that a
  // "return" action asks for.
  std::optional<Json> enter(std::string_view who, std::string_view hook,
                            std::string_view arguments = {});
  // Appends a line that no script listens to.
  void note(std::string line) { trace_.push_back(std::move(line)); }

  // Lets the case's fake clock pass, at the entry of a step.
  void tick(std::string_view step);

  const std::vector<std::string>& trace() const { return trace_; }
  ManualClock& clock() { return clock_; }

  // The trainer that the case works with now; scripts act on it.
  Trainer* trainer = nullptr;

  // Lists that accumulate over all calls of the case, in the form of `expect`.
  Json train_losses = Json::array();
  Json val_losses = Json::array();
  Json lrs = Json::array();
  Json batch_sizes = Json::array();
  Json rows = Json::array();
  Json hparams = Json::array();
  Json writes = Json::array();
  Json bars = Json::array();
  Json snapshots = Json::array();
  std::int64_t scripted_losses = 0;  // calls of a scripted loss

 private:
  void raise(const Json& action) const;

  const Case& test_;
  std::vector<std::string> trace_;
  std::map<std::string, std::int64_t, std::less<>> entered_;
  ManualClock clock_;
};

}  // namespace grapnel::oracle
