// The options of optimizers and the settings of schedulers in a resumed fit. Three have a say, and
// the later one counts:
//
//   configure_optimizers   what this program chose
//   the checkpoint         what the training had come to, by schedules or callbacks
//   on_fit_start           what a callback sets there, such as a learning-rate finder
//
// An option that configure_optimizers chooses differently than it did for the training that is
// resumed has no effect, which is logged once for each. Checkpoints keep what it chose, so that a
// change of the program is told from one by a schedule; in files without it, options that a
// schedule may have changed are not compared.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "grapnel/lr_scheduler.h"
#include "grapnel/optimizer.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class ResumedOptions {
 public:
  using Optimizers = std::vector<std::shared_ptr<Optimizer>>;
  using Schedulers = std::vector<SchedulerConfig>;

  // configure_optimizers has made these.
  void note_configured(const Optimizers& optimizers, const Schedulers& schedulers);
  // For checkpoints: what was configured, in a resumed fit for the training that it continues.
  const StateDict& configured() const { return configured_; }

  // Before on_fit_start: compares, logs the differences, and gives the groups the checkpoint's
  // options. saved: the states of the optimizers; configured: see above, null when the file has
  // none. Optimizers that the states don't fit stay as they are.
  void begin(const Optimizers& optimizers, const Schedulers& schedulers, const StateList& saved,
             const StateDict* configured);
  // After it: what was set there is kept for finish(), when the states of all optimizers and
  // schedulers are loaded.
  void note_changes(const Optimizers& optimizers);
  void finish(const Optimizers& optimizers);

 private:
  using Options = std::map<std::string, double, std::less<>>;
  using Groups = std::vector<Options>;  // of one optimizer

  static std::vector<Groups> options_of(const Optimizers& optimizers);
  void keep_configured(const StateDict& earlier);

  StateDict configured_;
  std::vector<Groups> before_;   // before on_fit_start
  std::vector<Groups> changes_;  // made in it
};

}  // namespace grapnel
