// TensorDataModule: a data module over tensors in memory, the base of the ready ones.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/data.h"
#include "grapnel/export.h"

namespace grapnel {

struct DataOptions {
  int64_t batch_size = 32;
  bool shuffle = true;  // the training batches; others always come in order
  bool drop_last = false;
  uint64_t seed = 0;  // of the orders of training
};

// Which samples of a set that comes as one are kept from training: in the order of mix_bits(seed,
// index), first the test part, then the validation part; their numbers are rounded down. Within
// each part the samples keep the set's order.
struct SplitOptions {
  double val_fraction = 0.1;
  double test_fraction = 0.1;
  uint64_t seed = 0;
};

// One part of a data set: tensors [N, ...], named alike in each part. Without tensors: no such
// part.
using DataSplit = std::vector<at::Tensor>;

// The samples at these places, in this order, of each tensor.
GRAPNEL_CORE_API DataSplit take_samples(const DataSplit& tensors,
                                        const std::vector<int64_t>& indices);

class GRAPNEL_CORE_API TensorDataModule : public DataModule {
 public:
  explicit TensorDataModule(DataOptions options) : options_(options) {}

  // Loads the data, the first time.
  void setup(RunKind run) override;

  std::shared_ptr<DataLoader> train_dataloader() override;
  DataLoaders val_dataloaders() override;
  DataLoaders test_dataloaders() override;
  DataLoaders predict_dataloaders() override;  // the test part

  int64_t* batch_size_attribute() override { return &options_.batch_size; }

  // Where a sample of a part comes from, for messages: "row 14 of 'x.csv'". Empty when unknown.
  // part: one of the three below; index: its place in it.
  std::string source_of(const DataSplit& part, int64_t index) const;

  // Empty before setup.
  const DataSplit& train_split() const { return train_; }
  const DataSplit& val_split() const { return val_; }
  const DataSplit& test_split() const { return test_; }

 protected:
  // Fills the splits. Throws DataError when the data can't be had.
  virtual void load() = 0;

  // The file that samples come from, and what they are called there.
  struct Source {
    std::filesystem::path file;
    const char* item = "sample";
    int64_t first = 0;               // number of the first
    std::vector<int64_t> rows = {};  // places in the file of a part's samples; empty: in its order
  };

  // Fills the splits from a whole set. Throws ConfigError for fractions below 0 or that together
  // leave nothing to train with.
  void split(const DataSplit& all, const SplitOptions& options, const Source& source);
  // The test part comes from a file of its own.
  void set_test(DataSplit test, Source source);

  DataSplit train_;
  DataSplit val_;
  DataSplit test_;
  std::vector<std::string> names_ = {"input", "target"};

 private:
  DataLoaders in_order(const DataSplit& split) const;
  DataOptions options_;
  Source train_source_, val_source_, test_source_;  // without a file: unknown
  bool loaded_ = false;
};

}  // namespace grapnel
