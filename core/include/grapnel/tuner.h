// Finds a learning rate or a batch size without training: for a look at the result before the fit.
//
//   Tuner tuner(trainer);
//   auto found = tuner.lr_find(model, data);
//   found->plot("lr.svg");
//   trainer.fit(model, data);                 // with the rate that was found
//
// After Lightning's Tuner. Each call is a run of the trainer that ends with the search: its
// callbacks hear of setup, the search and teardown, and nothing is trained. To search at the start
// of a fit itself, put LearningRateFinder or BatchSizeFinder among the callbacks.
#pragma once

#include <cstdint>
#include <optional>

#include "grapnel/callbacks/batch_size_finder.h"
#include "grapnel/callbacks/learning_rate_finder.h"
#include "grapnel/export.h"
#include "grapnel/lr_find_result.h"
#include "grapnel/trainer.h"

namespace grapnel {

class GRAPNEL_CORE_API Tuner {
 public:
  // Uses the trainer, which must outlive it.
  explicit Tuner(Trainer& trainer) : trainer_(trainer) {}

  // Nothing under fast_dev_run. Throws ConfigError when the trainer has a LearningRateFinder
  // already; and as Trainer::fit and LearningRateFinder do.
  std::optional<LRFindResult> lr_find(ModuleRef module, Data data = {},
                                      LearningRateFinderOptions options = {});

  // For fit, validate, test or predict. Nothing under fast_dev_run. Throws ConfigError when the
  // trainer has a BatchSizeFinder already; and as the run and BatchSizeFinder do.
  std::optional<int64_t> scale_batch_size(ModuleRef module, Data data = {},
                                          BatchSizeFinderOptions options = {},
                                          RunKind method = RunKind::fit);

 private:
  Trainer& trainer_;
};

}  // namespace grapnel
