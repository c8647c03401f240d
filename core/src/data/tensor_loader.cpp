#include "grapnel/data/tensor_loader.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <typeinfo>

#include "grapnel/base/error.h"
#include "grapnel/data/permutation.h"

namespace grapnel {

TensorLoader::TensorLoader(std::vector<at::Tensor> tensors, TensorLoaderOptions options)
    : tensors_(std::move(tensors)), options_(std::move(options)) {
  if (options_.batch_size < 1) {
    throw ConfigError::of("batch_size", "the batch size must be at least 1, found {}",
                          options_.batch_size);
  }
  if (tensors_.empty()) throw DataError("a TensorLoader needs at least one tensor");
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (!tensors_[i].defined() || tensors_[i].dim() == 0) {
      throw DataError(fmt::format("tensor {} of a TensorLoader has no dimension of samples", i));
    }
    if (tensors_[i].size(0) != tensors_[0].size(0)) {
      throw DataError(fmt::format(
          "the tensors of a TensorLoader differ in their samples: {} in the first, {} in tensor {}",
          tensors_[0].size(0), tensors_[i].size(0), i));
    }
  }
  samples_ = tensors_[0].size(0);
  static_cast<void>(Batch(tensors_, options_.names));  // refuses names that don't fit
}

std::optional<int64_t> TensorLoader::size() const {
  const int64_t rest = options_.drop_last ? 0 : options_.batch_size - 1;
  return (samples_ + rest) / options_.batch_size;
}

void TensorLoader::start(int64_t epoch) {
  position_ = 0;
  order_.clear();
  order_tensor_.reset();
  if (!options_.shuffle) return;
  order_ = permutation(samples_, options_.seed, static_cast<uint64_t>(epoch));
  order_tensor_ = at::empty({samples_}, at::kLong);
  std::copy(order_.begin(), order_.end(), order_tensor_.mutable_data_ptr<int64_t>());
  order_tensor_ = order_tensor_.to(tensors_[0].device());
}

std::optional<Batch> TensorLoader::next() {
  if (position_ >= *size()) return {};
  const int64_t first = position_++ * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, samples_ - first);

  std::vector<at::Tensor> parts;
  parts.reserve(tensors_.size());
  for (const at::Tensor& tensor : tensors_) {
    parts.push_back(
        order_.empty()
            ? tensor.narrow(0, first, count)
            : tensor.index_select(0, order_tensor_.narrow(0, first, count).to(tensor.device())));
  }
  Batch batch(std::move(parts), options_.names);
  batch.sample_indices.resize(static_cast<size_t>(count));
  if (order_.empty()) {
    std::iota(batch.sample_indices.begin(), batch.sample_indices.end(), first);
  } else {
    std::copy_n(order_.begin() + first, count, batch.sample_indices.begin());
  }
  return batch;
}

void TensorLoader::skip(int64_t batches) {
  position_ = std::min(position_ + std::max<int64_t>(batches, 0), *size());
}

std::shared_ptr<DataLoader> TensorLoader::cursor() const {
  if (typeid(*this) != typeid(TensorLoader)) return nullptr;
  return std::make_shared<TensorLoader>(*this);
}

}  // namespace grapnel
