// TensorLoader: batches out of tensors that are in memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/data.h"
#include "grapnel/export.h"

namespace grapnel {

struct TensorLoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false;
  bool drop_last = false;               // leave out a last batch that isn't full
  uint64_t seed = 0;                    // of the shuffled orders, see <grapnel/data/permutation.h>
  std::vector<std::string> names = {};  // of the tensors in a batch
};

class GRAPNEL_CORE_API TensorLoader : public DataLoader {
 public:
  // tensors: at least one, each [N, ...] with the same N, on any device; they are shared. Throws
  // DataError when they don't fit together, ConfigError unless batch_size >= 1.
  explicit TensorLoader(std::vector<at::Tensor> tensors, TensorLoaderOptions options = {});

  std::optional<int64_t> size() const override;
  void start(int64_t epoch) override;

  // A shuffled batch is gathered. One in order is a view of the data: a caller that changes it in
  // place changes the data set, so put another tensor in its place (Batch::replace).
  std::optional<Batch> next() override;

  // Takes no longer for many than for one.
  void skip(int64_t batches) override;

  // Shares the tensors. nullptr for a derived class, which overrides it to have one.
  std::shared_ptr<DataLoader> cursor() const override;

  std::optional<int64_t> dataset_size() const override { return samples_; }
  std::optional<int64_t> batch_size() const override { return options_.batch_size; }
  bool shuffles() const override { return options_.shuffle; }
  // Holds from the next epoch on.
  void set_shuffle(bool shuffle) override { options_.shuffle = shuffle; }
  std::optional<uint64_t> seed() const override { return options_.seed; }
  bool drops_last() const override { return options_.drop_last; }
  void set_drop_last(bool drop_last) override { options_.drop_last = drop_last; }

 private:
  std::vector<at::Tensor> tensors_;
  TensorLoaderOptions options_;
  int64_t samples_ = 0;
  int64_t position_ = 0;        // batches given or skipped in this epoch
  std::vector<int64_t> order_;  // of this epoch; empty: in order
  at::Tensor order_tensor_;     // the same, on the data's device
};

}  // namespace grapnel
