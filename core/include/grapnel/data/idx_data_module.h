// IdxDataModule: images and labels from IDX files (idx.h), such as MNIST and its relatives.
//
// Batches are "input" [N, 1, rows, columns] float32, uint8 pixels divided by 255, and "target" [N]
// int64.
#pragma once

#include <filesystem>

#include "grapnel/data/tensor_data_module.h"
#include "grapnel/export.h"

namespace grapnel {

struct IdxDataOptions {
  std::filesystem::path images;            // training; [N, rows, columns] or [N, ...]
  std::filesystem::path labels;            // [N]
  std::filesystem::path test_images = {};  // empty: no test part
  std::filesystem::path test_labels = {};
  double val_fraction = 0.1;  // of the training samples; which: see SplitOptions
  uint64_t split_seed = 0;
  DataOptions loading = {};
};

class GRAPNEL_CORE_API IdxDataModule : public TensorDataModule {
 public:
  // Throws ConfigError when one of a pair of paths is missing or val_fraction is not in [0, 1).
  // Files are read by setup, which throws DataError and IoError naming the file.
  explicit IdxDataModule(IdxDataOptions options);

  static const OptionsTable<IdxDataOptions>& options_table();

 protected:
  void load() override;

 private:
  IdxDataOptions options_;
};

}  // namespace grapnel
