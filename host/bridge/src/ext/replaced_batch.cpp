#include "replaced_batch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <grapnel/base/text.h>
#include <grapnel/batch.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"

namespace grapnel::bridge {
namespace {

ReplacedBatch::Place place_of(const Trainer& trainer) {
  const RunState& state = trainer.state();
  return {state.epoch.total.ready, state.batch.total.ready, state.val_batch.total.ready,
          state.eval_batch.total.ready, state.predict_batch.total.ready};
}

ReplacedBatch::Kind kind_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  return {tensor.scalar_type(), tensor.layout(), at::DimVector(tensor.sizes())};
}

std::string to_string(const ReplacedBatch::Kind& kind) {
  if (kind.dtype == c10::ScalarType::Undefined) return "nothing";
  std::string text = fmt::format("{} [{}]", c10::toString(kind.dtype), fmt::join(kind.sizes, ", "));
  if (kind.layout != c10::kStrided) text += fmt::format(", {}", c10::str(kind.layout));
  return text;
}

std::string to_string(const ReplacedBatch::Replacement& replaced) {
  const std::string label =
      replaced.name.empty() ? fmt::format("tensor {}", replaced.index) : quote(replaced.name);
  const std::string after = to_string(replaced.after);
  if (replaced.before == replaced.after) return fmt::format("{} (by another {})", label, after);
  return fmt::format("{} ({} by {})", label, to_string(replaced.before), after);
}

}  // namespace

void note_replacement(InstanceHost& self, const Batch& batch, std::size_t index,
                      const at::Tensor& by) {
  ReplacedBatch& replaced = self.replaced_batch;
  const ReplacedBatch::Place place = place_of(*self.trainer());
  if (replaced.place != place) {
    replaced.place = place;
    replaced.hook = self.call()->name;
    replaced.tensors.clear();
  }
  const auto same = [&](const ReplacedBatch::Replacement& each) { return each.index == index; };
  const auto known = std::ranges::find_if(replaced.tensors, same);
  if (known != replaced.tensors.end()) {
    known->after = kind_of(by);
  } else {
    replaced.tensors.push_back({index, batch.name(index), kind_of(batch[index]), kind_of(by)});
  }
}

std::string describe_replacements(const InstanceHost& self, const Trainer& trainer) {
  const ReplacedBatch& replaced = self.replaced_batch;
  if (replaced.tensors.empty() || replaced.place != place_of(trainer)) return {};
  std::vector<std::string> texts;
  for (const ReplacedBatch::Replacement& each : replaced.tensors) texts.push_back(to_string(each));
  return fmt::format("{} replaced {} of the batch", replaced.hook, join(texts, " and "));
}

}  // namespace grapnel::bridge
