// A loop of a run: training, one kind of evaluation, or prediction.
#pragma once

#include <vector>

#include "grapnel/lease.h"
#include "grapnel/run_state.h"
#include "run/loader_set.h"

namespace grapnel {

class Run;

class Loop {
 public:
  explicit Loop(Run& run) : run_(run) {}
  virtual ~Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The stage in which its run begins.
  virtual Stage stage() const = 0;
  // A run of it begins, before anything of its parts is known.
  virtual void begin() {}
  // Throws ConfigError when the module lacks what the loop needs.
  virtual void check() const {}
  // Makes the data loaders, unless they are there and need not be made again.
  virtual void setup_data() = 0;
  virtual void run() = 0;
  // Makes the data loaders again, before the first batch: the batch size is another one.
  virtual void reload() = 0;

  const LoaderSet& loaders() const { return set_; }
  // The epoch in which the run that is resumed made its loaders last: the next time counts from it.
  void continue_reloads(int64_t epoch) { set_.last_reload_epoch = epoch; }
  void forget_loaders() {
    set_ = {};
    in_order_.clear();
  }

 protected:
  // For overfit_batches: turns the shuffling of a loader off until the run ends or the loaders are
  // forgotten. what: "training" or "validation", for the warning.
  void turn_off_shuffling(const std::shared_ptr<DataLoader>& loader, const char* what);

  Run& run_;
  LoaderSet set_;

 private:
  std::vector<Lease> in_order_;  // loaders that otherwise shuffle
};

}  // namespace grapnel
