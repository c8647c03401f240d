#include "samples.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace grapnel::oracle {
namespace {

constexpr std::int64_t kFeatures = 4;

class SampleLoader final : public DataLoader {
 public:
  SampleLoader(Samples samples, std::int64_t batch) : samples_(samples), batch_(batch) {}

  std::optional<std::int64_t> size() const override {
    if (samples_.iterable) return {};
    return samples_.drop_last ? samples_.count / batch_ : (samples_.count + batch_ - 1) / batch_;
  }

  void start(std::int64_t) override { position_ = 0; }

  std::optional<Batch> next() override {
    const std::int64_t begin = position_ * batch_;
    const std::int64_t end = std::min(begin + batch_, samples_.count);
    if (begin >= end || (samples_.drop_last && end - begin < batch_)) return {};
    ++position_;
    return samples_.range(begin, end);
  }

  void skip(std::int64_t batches) override { position_ += batches; }

  std::optional<std::int64_t> dataset_size() const override {
    if (samples_.iterable) return {};
    return samples_.count;
  }
  std::optional<std::int64_t> batch_size() const override { return batch_; }
  bool drops_last() const override { return samples_.drop_last && !samples_.iterable; }
  void set_drop_last(bool drop_last) override { samples_.drop_last = drop_last; }

 private:
  Samples samples_;
  std::int64_t batch_;
  std::int64_t position_ = 0;  // batches consumed
};

}  // namespace

Samples::Samples(const Json& spec)
    : count(spec.at("n").as_int()),
      batch(spec.at("batch").as_int()),
      offset(int_or(spec, "offset", 0)),
      classes(text_or(spec, "target", "reg") == "cls"),
      drop_last(flag_or(spec, "drop_last", false)),
      iterable(flag_or(spec, "iterable", false)) {}

Batch Samples::range(std::int64_t begin, std::int64_t end) const {
  const std::int64_t n = end - begin;
  at::Tensor x = at::empty({n, kFeatures});
  at::Tensor y = classes ? at::empty({n}, at::kLong) : at::empty({n, 1});
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t global = offset + begin + i;
    float* features = x.mutable_data_ptr<float>() + i * kFeatures;
    for (std::int64_t j = 0; j < kFeatures; ++j) {
      features[j] = static_cast<float>(std::sin(0.1 * static_cast<double>(global * kFeatures + j)));
    }
    if (classes) {
      y.mutable_data_ptr<std::int64_t>()[i] = global % 3;
    } else {
      const double g = static_cast<double>(global);
      y.mutable_data_ptr<float>()[i] =
          static_cast<float>(0.8 * std::sin(0.1 * (g * 4)) - 0.5 * std::sin(0.1 * (g * 4 + 1)) +
                             0.3 * std::cos(0.05 * g) + 1.5);
    }
  }
  Batch result({x, y}, {"x", "y"});
  if (iterable) return result;  // its samples have no numbers
  result.sample_indices.resize(static_cast<std::size_t>(n));
  std::iota(result.sample_indices.begin(), result.sample_indices.end(), begin);
  return result;
}

std::shared_ptr<DataLoader> make_loader(const Json& spec, std::optional<std::int64_t> batch_size) {
  const Samples samples(spec);
  return std::make_shared<SampleLoader>(samples, batch_size.value_or(samples.batch));
}

DataLoaders make_loaders(const Json& specs, std::optional<std::int64_t> batch_size) {
  DataLoaders loaders;
  for (const Json& spec : items(specs)) loaders.push_back(make_loader(spec, batch_size));
  return loaders;
}

}  // namespace grapnel::oracle
