// Requests to do something else than planned (request.h): where each kind is possible, which were
// made and which were granted. The loops take them and act on them.
//
// Where a kind is possible depends on what the loop can still do about it, and is the same for
// callbacks, modules and plugins:
//
//   stop         while fit runs, until its teardown
//   skip_batch   on_train_batch_start
//   skip_step    on_before_optimizer_step
//   end_epoch    from on_train_epoch_start to the end of the epoch's last batch
//   evaluate     the same, outside of a validation
//   save         from on_train_epoch_start to on_train_epoch_end
//
// In a loop of the user's own (Fabric), which takes its requests itself, the last three are
// possible everywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/dispatcher.h"
#include "grapnel/request.h"
#include "grapnel/run_state.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class Requests {
 public:
  // Where the training loop is.
  enum class Place {
    outside,
    batches,    // from on_train_epoch_start to the end of the epoch's last batch
    epoch_end,  // on_train_epoch_end
    own_loop,   // a loop of the user's own
  };

  // All must outlive it. signal: the trainer's, set by Trainer::interrupt.
  Requests(RunState& state, const Dispatcher& hooks, std::atomic<int>& signal)
      : state_(state), hooks_(hooks), signal_(signal) {}

  // Forgets the requests and the signal of earlier runs.
  void begin_run();
  void enter(Place place) { place_ = place; }
  bool own_loop() const { return place_ == Place::own_loop; }

  // Throws ConfigError where the kind is not possible.
  void ask(RequestKind kind, std::string reason, int64_t global_step);
  // Whether the kind was requested since the last call; grants it, which is logged.
  bool take(RequestKind kind);
  bool asked(RequestKind kind) const;
  bool any() const { return !asked_.empty(); }
  // Forgets requests whose time is over.
  void drop(std::initializer_list<RequestKind> kinds);
  void drop_all() { asked_.clear(); }

  // Every request that was granted in this run, in order.
  const std::vector<Request>& granted() const { return granted_; }
  // The one that set RunState::should_stop.
  const std::optional<Request>& stop() const { return stop_; }
  void set_should_stop(bool value, int64_t global_step);

  // For checkpoints: the requests that are not granted yet, and a stop that is not carried out yet.
  // with_stop: the stop is one.
  StateDict state_dict(bool with_stop) const;
  // restores: whether a stop by this author is to be restored. One that the run has been asked for
  // already is kept; the same author's is this one.
  void load_state_dict(const StateDict& state,
                       const std::function<bool(const std::string& author)>& restores);

  // Throws Interrupted after a signal.
  void throw_if_interrupted();

 private:
  void take_up(const Request& stop);
  // Why the kind is not possible now: where it is; empty: it is possible.
  std::string_view refusal(RequestKind kind) const;

  RunState& state_;
  const Dispatcher& hooks_;
  std::atomic<int>& signal_;
  Place place_ = Place::outside;
  std::vector<Request> asked_;
  std::vector<Request> granted_;
  std::optional<Request> stop_;
};

}  // namespace grapnel
