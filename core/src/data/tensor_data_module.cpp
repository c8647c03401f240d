#include "grapnel/data/tensor_data_module.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <numeric>

#include "grapnel/data/permutation.h"
#include "grapnel/data/tensor_loader.h"

namespace grapnel {

std::vector<ParameterSpec> data_option_specs() {
  using namespace parameter;
  return {integer("batch_size", 32).at_least(1).unit("samples").doc("Samples per batch."),
          boolean("shuffle", true).doc("Shuffle the training samples in every epoch."),
          boolean("drop_last", false).doc("Leave out a last training batch that isn't full."),
          integer("seed", 0).at_least(0).doc("Of the orders of the training samples.")};
}

DataOptions read_data_options(const Parameters& parameters) {
  return {.batch_size = parameters.get<int64_t>("batch_size"),
          .shuffle = parameters.get<bool>("shuffle"),
          .drop_last = parameters.get<bool>("drop_last"),
          .seed = static_cast<uint64_t>(parameters.get<int64_t>("seed"))};
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

std::pair<std::vector<int64_t>, std::vector<int64_t>> split_indices(int64_t size, int64_t held_out,
                                                                    uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [seed](int64_t a, int64_t b) {
    return mix_bits(seed, static_cast<uint64_t>(a)) < mix_bits(seed, static_cast<uint64_t>(b));
  });
  const auto cut = order.begin() + held_out;
  std::vector<int64_t> second(order.begin(), cut);
  std::vector<int64_t> first(cut, order.end());
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  return {std::move(first), std::move(second)};
}

}  // namespace grapnel
