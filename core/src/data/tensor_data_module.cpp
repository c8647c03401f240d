#include "grapnel/data/tensor_data_module.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "data/shared_options.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/text.h"
#include "grapnel/data/permutation.h"
#include "grapnel/data/tensor_loader.h"

namespace grapnel {

std::vector<Option<DataOptions>> loading_options() {
  using O = DataOptions;
  return {
      option("batch_size", &O::batch_size).at_least(1).unit("samples").doc("Samples per batch."),
      option("shuffle", &O::shuffle).doc("Shuffle the training samples in every epoch."),
      option("drop_last", &O::drop_last).doc("Leave out a last training batch that isn't full."),
      option("seed", &O::seed).at_least(0).doc("Of the orders of the training samples.")};
}

std::vector<Option<SplitOptions>> split_options() {
  using O = SplitOptions;
  return {option("val_fraction", &O::val_fraction)
              .at_least(0)
              .below(1)
              .doc("Share kept for validation."),
          option("test_fraction", &O::test_fraction)
              .at_least(0)
              .below(1)
              .doc("Share kept for testing."),
          option("split_seed", &O::seed).at_least(0).doc("Decides which samples those are.")};
}

void TensorDataModule::setup(RunKind /*run*/) {
  if (loaded_) return;
  load();
  loaded_ = true;
}

std::shared_ptr<DataLoader> TensorDataModule::train_dataloader() {
  if (train_.empty()) return nullptr;
  return std::make_shared<TensorLoader>(train_, TensorLoaderOptions{
                                                    .batch_size = options_.batch_size,
                                                    .shuffle = options_.shuffle,
                                                    .drop_last = options_.drop_last,
                                                    .seed = options_.seed,
                                                    .names = names_,
                                                });
}

DataLoaders TensorDataModule::in_order(const DataSplit& split) const {
  if (split.empty()) return {};
  return {std::make_shared<TensorLoader>(
      split, TensorLoaderOptions{.batch_size = options_.batch_size, .names = names_})};
}

DataLoaders TensorDataModule::val_dataloaders() {
  return in_order(val_);
}
DataLoaders TensorDataModule::test_dataloaders() {
  return in_order(test_);
}
DataLoaders TensorDataModule::predict_dataloaders() {
  return in_order(test_);
}

DataSplit take_samples(const DataSplit& tensors, const std::vector<int64_t>& indices) {
  const at::Tensor places = at::empty({static_cast<int64_t>(indices.size())}, at::kLong);
  std::copy(indices.begin(), indices.end(), places.mutable_data_ptr<int64_t>());
  DataSplit taken;
  for (const at::Tensor& tensor : tensors) taken.push_back(tensor.index_select(0, places));
  return taken;
}

void TensorDataModule::split(const DataSplit& all, const SplitOptions& options,
                             const Source& source) {
  const auto is_share = [](double share) { return share >= 0.0 && share < 1.0; };
  if (!is_share(options.val_fraction) || !is_share(options.test_fraction) ||
      !is_share(options.val_fraction + options.test_fraction)) {
    throw ConfigError::of(
        "val_fraction",
        "val_fraction and test_fraction must be at least 0 and together below 1, found {} and {}",
        options.val_fraction, options.test_fraction);
  }
  const int64_t size = all.at(0).size(0);
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&options](int64_t a, int64_t b) {
    return mix_bits(options.seed, static_cast<uint64_t>(a)) <
           mix_bits(options.seed, static_cast<uint64_t>(b));
  });
  auto from = order.begin();
  const auto take = [&](int64_t count, Source& of_part) {
    std::vector<int64_t> part(from, from + count);
    from += count;
    std::sort(part.begin(), part.end());
    DataSplit taken = count == 0 ? DataSplit() : take_samples(all, part);
    of_part = source;
    of_part.rows = std::move(part);
    return taken;
  };
  const auto share = [size](double fraction) {
    return static_cast<int64_t>(static_cast<double>(size) * fraction);
  };
  test_ = take(share(options.test_fraction), test_source_);
  val_ = take(share(options.val_fraction), val_source_);
  train_ = take(order.end() - from, train_source_);
}

void TensorDataModule::set_test(DataSplit test, Source source) {
  test_ = std::move(test);
  test_source_ = std::move(source);
}

std::string TensorDataModule::source_of(const DataSplit& part, int64_t index) const {
  const Source& source = &part == &train_ ? train_source_
                         : &part == &val_ ? val_source_
                                          : test_source_;
  if (source.file.empty() || index < 0) return {};
  if (!source.rows.empty()) {
    if (index >= static_cast<int64_t>(source.rows.size())) return {};
    index = source.rows[static_cast<size_t>(index)];
  }
  return fmt::format("{} {} of {}", source.item, source.first + index,
                     quote(display_path(source.file)));
}

}  // namespace grapnel
