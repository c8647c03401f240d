// DigitsDataModule: 1,797 handwritten digits that come with the library (core/data/digits says from
// where), for examples, tests and a first run without any file.
//
// Batches are "input" [N, 1, 8, 8] float32 in 0 ... 1 and "target" [N] int64 classes 0 ... 9. The
// split is fixed: of each class, the samples are ordered by mix_bits(1797, index in the file); the
// first 18 are the test part, the next 18 the validation part, all others the training part. So
// there are 1,437, 180 and 180, each in the file's order.
#pragma once

#include "grapnel/data/tensor_data_module.h"
#include "grapnel/export.h"

namespace grapnel {

// The whole set: images [1797, 1, 8, 8] float32 in 0 ... 1, labels [1797] int64.
GRAPNEL_CORE_API DataSplit load_digits();

class GRAPNEL_CORE_API DigitsDataModule : public TensorDataModule {
 public:
  explicit DigitsDataModule(DataOptions options = {}) : TensorDataModule(options) {}

  static const OptionsTable<DataOptions>& options_table();

 protected:
  void load() override;
};

}  // namespace grapnel
