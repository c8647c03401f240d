// The tester's own callbacks: one that notes every hook and stops the run in one of them, and one that
// counts its calls.
#pragma once

#include <fmt/format.h>
#include <grapnel/base/clock.h>
#include <grapnel/callback.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "plan.h"

namespace grapnel::random_test {

// One line per hook from on_train_start to on_train_end, without the sanity check: its name, epoch,
// step, batch, learning rate, loss. Its state is how many lines there were. It also moves the clock: a
// training batch takes a second, once: one that is done again takes none.
class Probe final : public Callback {
 public:
  using Trace = std::vector<std::string>;

  explicit Probe(ManualClock& clock) : clock_(clock) {}

  // Calls `action` once, in the given call of a hook (from 1), or in a later one when a resumed run is
  // past that.
  void at(std::string hook, int64_t call, std::function<void(Trainer&)> action);
  // A checkpoint that it writes must hold what all other callbacks did before.
  void comes_last() { place_ = Place::checkpoint; }
  // A stop that it requests is none of the resumed run's: that has no callback of this name.
  void is_the_stopper(const Stop& stop) { set_name(fmt::format("stopper {}", stop.at)); }
  std::string state_key() const override { return "Probe"; }
  Place place() const override { return place_; }
  bool monitors() const override { return place_ == Place::checkpoint; }

#define GRAPNEL_HOOK(id, name, EventType, stage, module) void name(EventType& event) override;
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  const Trace& trace() const {
    return trace_;
  }
  // Lines that were noted when the checkpoint was written that the run was resumed from; 0: none.
  int64_t resumed_at() const {
    return resumed_at_;
  }
  // Calls of a hook so far, sanity checks aside.
  int64_t calls(const std::string& hook) const;

 private:
  template <class EventType>
  void note(const char* hook, EventType& event);

  ManualClock& clock_;
  Place place_ = Place::ordinary;
  std::string hook_;
  int64_t call_ = 0;
  std::function<void(Trainer&)> action_;
  bool training_ = false;
  int64_t last_epoch_ = -1;  // of the batch that began last
  int64_t last_batch_ = -1;
  Trace trace_;
  int64_t resumed_at_ = 0;
  std::map<std::string, int64_t> calls_;
};

// Counts hooks that end something, and logs the count: a call that is lost or comes twice after a
// resume shows, also under a filter.
class CallCounter final : public Callback {
 public:
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_validation_end(Event& event) override;
  void on_train_epoch_end(Event& event) override;
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  int64_t batches() const { return batches_; }

 private:
  int64_t batches_ = 0;
  int64_t validations_ = 0;
  int64_t epochs_ = 0;
};

}  // namespace grapnel::random_test
