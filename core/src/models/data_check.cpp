#include "models/data_check.h"

#include <fmt/format.h>

#include <typeinfo>

#include "grapnel/base/error.h"
#include "grapnel/data/tensor_data_module.h"
#include "grapnel/models/cnn.h"
#include "grapnel/models/mlp.h"
#include "grapnel/trainer.h"

namespace grapnel {

namespace {

// What a model takes and gives, by its first and its last parameter.
struct LayerSizes {
  at::Tensor first;  // of a linear layer [out, in], of a convolution [out, in, rows, columns]
  int64_t outputs = 0;
};

LayerSizes layer_sizes(Module& module) {
  LayerSizes sizes;
  for (const StateEntry& entry : module.state_view().entries()) {
    if (!entry.is_parameter || entry.tensor.dim() == 0) continue;
    if (!sizes.first.defined()) sizes.first = entry.tensor;
    sizes.outputs = entry.tensor.size(0);
  }
  return sizes;
}

void check_input(const Module& module, const at::Tensor& input, const at::Tensor& first) {
  const auto refuse = [&](std::string_view what, std::string_view option, int64_t found) {
    throw DataError(fmt::format(
        "a sample of the data has {} {}{}, but {} takes {}: set the model's "
        "{} to {}",
        found, what, found == 1 ? "" : "s", module.type_name(), first.size(1), option, found));
  };
  if (input.dim() == 0 || input.size(0) == 0) return;
  if (first.dim() == 2) {
    const int64_t numbers = input.numel() / input.size(0);
    if (numbers != first.size(1)) refuse("number", "in_features", numbers);
  } else if (first.dim() == 4 && input.dim() == 4 && input.size(1) != first.size(1)) {
    refuse("channel", "in_channels", input.size(1));
  }
}

// The parts of the data that a run uses.
std::vector<const DataSplit*> parts_for(const TensorDataModule& data, RunKind run) {
  switch (run) {
    case RunKind::fit:
      return {&data.train_split(), &data.val_split()};
    case RunKind::validate:
      return {&data.val_split()};
    case RunKind::test:
    case RunKind::predict:
      return {&data.test_split()};
    case RunKind::none:
      return {};
  }
  return {};
}

}  // namespace

std::string no_such_class(const std::string& where, int64_t found, const Module& module,
                          int64_t outputs) {
  return fmt::format("{} has the class {}, but {} has {} outputs, for the classes 0 to {}", where,
                     found, module.type_name(), outputs, outputs - 1);
}

int64_t first_wrong_class(const at::Tensor& targets, int64_t outputs) {
  constexpr int64_t kLeftOut = -100;  // cross_entropy's ignore_index
  const at::Tensor classes = targets.to(at::kCPU, at::kLong).contiguous();
  const int64_t* values = classes.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < classes.numel(); ++i) {
    if ((values[i] < 0 || values[i] >= outputs) && values[i] != kLeftOut) return i;
  }
  return -1;
}

void check_data(Module& module, const StageEvent& event) {
  if (typeid(module) != typeid(MLP) && typeid(module) != typeid(CNN)) return;
  const auto* data = dynamic_cast<const TensorDataModule*>(event.trainer.data_module());
  if (data == nullptr) return;
  const LayerSizes sizes = layer_sizes(module);
  if (!sizes.first.defined()) return;
  for (const DataSplit* part : parts_for(*data, event.run)) {
    if (part->empty()) continue;
    check_input(module, part->front(), sizes.first);
    if (part->size() < 2 || event.run == RunKind::predict) continue;
    const at::Tensor& targets = (*part)[1];
    if (targets.dim() != 1 || !at::isIntegralType(targets.scalar_type(), /*includeBool=*/false)) {
      continue;
    }
    const int64_t wrong = first_wrong_class(targets, sizes.outputs);
    if (wrong < 0) continue;
    std::string where = data->source_of(*part, wrong);
    if (where.empty()) where = fmt::format("sample {} of the data", wrong);
    throw DataError(no_such_class(where, targets[wrong].item().toLong(), module, sizes.outputs));
  }
}

}  // namespace grapnel
