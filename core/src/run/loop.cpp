#include "run/loop.h"

#include "grapnel/base/log.h"
#include "run/run.h"

namespace grapnel {

void Loop::turn_off_shuffling(const std::shared_ptr<DataLoader>& loader, const char* what) {
  if (!loader->shuffles()) return;
  log_warning("overfit_batches turns shuffling off for the {} data", what);
  // Each source by itself: others of a combination may be in order already.
  for (const auto& source : source_loaders({loader})) {
    if (!source->shuffles()) continue;
    in_order_.push_back(run_.leases.take("overfit_batches without shuffling",
                                         [source] { source->set_shuffle(true); }));
    source->set_shuffle(false);
  }
}

}  // namespace grapnel
