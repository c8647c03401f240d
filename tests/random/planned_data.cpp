#include "planned_data.h"

#include <ATen/ATen.h>
#include <grapnel/data/combined_loader.h>
#include <grapnel/data/function_loader.h>
#include <grapnel/data/tensor_loader.h>

namespace grapnel::random_test {

namespace {

// Sample i depends on i alone.
std::vector<at::Tensor> samples(int64_t count, int64_t first) {
  const at::Tensor number = at::arange(first, first + count, at::kDouble).view({count, 1});
  const at::Tensor feature = at::arange(kFeatures, at::kDouble).view({1, kFeatures});
  const at::Tensor x = at::sin(number * 1.7 + feature * number * 0.3 + feature);
  const at::Tensor y = at::cos(x.sum(1, true)) + x.select(1, 0).unsqueeze(1);
  return {x.to(at::kFloat), y.to(at::kFloat)};
}

std::shared_ptr<DataLoader> in_memory(const Plan& plan, int64_t count, int64_t first) {
  TensorLoaderOptions options;
  options.batch_size = plan.integer("data.batch_size", 3);
  options.shuffle = plan.flag("data.shuffle");
  options.drop_last = plan.flag("data.drop_last");
  options.seed = plan.seed;
  return std::make_shared<TensorLoader>(samples(count, first), options);
}

// The batches of an in-memory loader, one after the other, through the user's own function.
std::shared_ptr<DataLoader> by_function(const Plan& plan, int64_t count, bool knows_length) {
  const auto source = in_memory(plan, count, 0);
  FunctionLoaderOptions options;
  if (knows_length) options.size = source->size();
  return std::make_shared<FunctionLoader>(
      [source](int64_t epoch) -> FunctionLoader::Batches {
        source->start(epoch);
        return [source] { return source->next(); };
      },
      options);
}

// The tensors of the first source, so that the model needn't know; the second one is there to have a
// position of its own.
std::shared_ptr<DataLoader> combined(const Plan& plan, int64_t count, CombinedMode mode) {
  const int64_t other = mode == CombinedMode::min_size ? count : count / 2 + 1;
  return std::make_shared<CombinedLoader>(
      std::vector<CombinedLoader::Source>{{"a", in_memory(plan, count, 0)},
                                          {"b", in_memory(plan, other, 1000)}},
      mode);
}

}  // namespace

std::shared_ptr<DataLoader> PlannedData::train_dataloader() {
  const int64_t count = plan_.integer("data.samples", 12);
  const std::string kind = plan_.text("data.kind", "tensors");
  if (kind == "function") return by_function(plan_, count, true);
  if (kind == "stream") return by_function(plan_, count, false);
  if (kind == "min_size") return combined(plan_, count, CombinedMode::min_size);
  if (kind == "max_size_cycle") return combined(plan_, count, CombinedMode::max_size_cycle);
  return in_memory(plan_, count, 0);
}

DataLoaders PlannedData::val_dataloaders() {
  DataLoaders loaders;
  if (const ConfigValue* counts = find_by_path(plan_.document, "data.validation")) {
    int64_t first = 200;
    for (const ConfigValue& count : counts->as_array()) {
      TensorLoaderOptions options{.batch_size = 2};
      loaders.push_back(std::make_shared<TensorLoader>(samples(count.as_int(), first), options));
      first += 100;
    }
  }
  return loaders;
}

DataMask PlannedData::implemented(const DataMask& overridden) const {
  DataMask mask = overridden;
  mask.set(static_cast<size_t>(DataMethod::val_dataloaders), plan_.has("data.validation"));
  return mask;
}

}  // namespace grapnel::random_test
