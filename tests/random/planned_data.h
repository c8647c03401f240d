// The loaders of a plan's "data": always new objects, with samples that are a fixed function of their
// number.
//
//   kind        tensors (default), function (knows its length), stream (doesn't), min_size or
//               max_size_cycle (two loaders combined)
//   samples, batch_size, shuffle, drop_last
//   validation  samples of each validation loader
#pragma once

#include <grapnel/data.h>

#include "plan.h"

namespace grapnel::random_test {

inline constexpr int64_t kFeatures = 5;

class PlannedData final : public DataModule {
 public:
  explicit PlannedData(const Plan& plan) : plan_(plan) {}

  std::shared_ptr<DataLoader> train_dataloader() override;
  DataLoaders val_dataloaders() override;
  DataMask implemented(const DataMask& overridden) const override;

 private:
  const Plan& plan_;
};

}  // namespace grapnel::random_test
