#include "grapnel/batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "values/plain_tensor.h"

namespace grapnel {

namespace {

void check_index(size_t index, size_t size) {
  if (index < size) return;
  throw DataError(
      fmt::format("the batch has no tensor {}: it has {}", index,
                  size == 0 ? "none" : fmt::format("{}, numbered 0 to {}", size, size - 1)));
}

}  // namespace

Batch::Batch(std::vector<at::Tensor> tensors, std::vector<std::string> names)
    : tensors_(std::move(tensors)), names_(std::move(names)) {
  if (names_.size() > tensors_.size()) {
    throw DataError(
        fmt::format("a batch of {} tensors was given {} names", tensors_.size(), names_.size()));
  }
  names_.resize(tensors_.size());
  for (auto name = names_.begin(); name != names_.end(); ++name) {
    if (!name->empty() && std::find(names_.begin(), name, *name) != name) {
      throw DataError(fmt::format("two tensors of a batch are named {}", quote(*name)));
    }
  }
}

const at::Tensor& Batch::operator[](size_t index) const {
  check_index(index, tensors_.size());
  return tensors_[index];
}

const at::Tensor& Batch::operator[](std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (!name.empty() && found != names_.end()) {
    return tensors_[static_cast<size_t>(found - names_.begin())];
  }
  std::vector<std::string> named;
  std::copy_if(names_.begin(), names_.end(), std::back_inserter(named),
               [](const std::string& text) { return !text.empty(); });
  throw DataError(fmt::format("the batch has no tensor named {}: it has {}", quote(name),
                              named.empty() ? fmt::format("{} without names", tensors_.size())
                                            : join_quoted(named, "and")));
}

void Batch::replace(size_t index, at::Tensor tensor) {
  check_index(index, tensors_.size());
  tensors_[index] = std::move(tensor);
}

const std::string& Batch::name(size_t index) const {
  check_index(index, tensors_.size());
  return names_[index];
}

int64_t Batch::batch_size() const {
  for (const at::Tensor& tensor : tensors_) {
    if (tensor.defined() && tensor.dim() > 0) return tensor.size(0);
  }
  return 1;
}

std::optional<double> StepOutput::loss_value() {
  if (loss_value_ || !loss.defined()) return loss_value_;
  const bool is_in_memory = loss.scalar_type() == at::kFloat && loss.numel() == 1 && is_plain(loss);
  loss_value_ = is_in_memory ? *loss.const_data_ptr<float>() : loss.item().toDouble();
  return loss_value_;
}

}  // namespace grapnel
