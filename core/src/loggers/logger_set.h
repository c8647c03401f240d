// The loggers of a run, called together.
//
// What they write is less than the training itself: while it runs, a logger that can't write (a
// full disk, an I/O error) ends neither it nor the checkpoint that is to save it. The first
// failure is told at once, and at the end what is missing. Other errors of a logger are passed on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/logger.h"

namespace grapnel {

class LoggerSet {
 public:
  explicit LoggerSet(const std::vector<std::shared_ptr<Logger>>& loggers);

  bool empty() const { return members_.empty(); }

  // Passes every error on: nothing has been trained yet.
  void start();
  void log_hyperparams(const StateDict& hyper_parameters);
  // Writes it out, too.
  void log_metrics(const Logger::Metrics& metrics, int64_t step);
  void save();
  // Anything else that is done with each. step: of the metrics that it logs, if it does.
  void each(std::optional<int64_t> step, const std::function<void(Logger&)>& call);
  // All of them, then passes on the first error that isn't the system's.
  void finalize(const std::string& status);

  // One for each, in their order. In the place of a state that can't be had, the last one that
  // could. While they are held, those of the beginning.
  StateList states();
  // What is logged until release() belongs to something that a resumed run does again from its
  // beginning. Costs something with the first metrics only.
  void hold();
  void release();
  // Who they are, in the same order: type and name.
  StateList identities() const;
  // `identities` says whose each is: a logger gets the one of its type and name, else of its type; one
  // that no logger takes is told, and a logger without one begins anew. Without identities, as earlier
  // builds wrote, each is of the logger at its place. Empty ones are passed over. When one refuses its
  // state, those before get theirs back. The library's own come last: they refuse only what is
  // damaged, and what they have written can't be told by a state that they load.
  void load_states(const StateList& states, const StateList* identities);

 private:
  struct Member {
    std::shared_ptr<Logger> logger;
    StateDict last_state = {};
    std::optional<StateDict> hyper_parameters = {};  // those that it could not take yet
    std::string error = {};                     // not empty: it failed, and hasn't succeeded since
    std::optional<int64_t> failing_since = {};  // step
    bool told = false;                          // of its first failure
    bool state_told = false;                    // of a state that can't be had
  };

  // Calls it, and gives it what it could not take yet; an error of the system is noted and told.
  // step: of the metrics, if there are any.
  template <class F>
  void attempt(Member& member, std::optional<int64_t> step, F&& call);
  static void note_failure(Member& member, std::optional<int64_t> step, const char* error);
  StateList present_states();
  // For each logger its state among these; nullptr: none.
  std::vector<const StateDict*> assigned(const StateList& states,
                                         const StateList* identities) const;
  void keep_held();

  std::vector<Member> members_;
  bool holds_ = false;
  std::optional<StateList> held_;  // once something was logged meanwhile
};

}  // namespace grapnel
