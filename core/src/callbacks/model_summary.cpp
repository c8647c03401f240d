#include "grapnel/callbacks/model_summary.h"

#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"

namespace grapnel {

ModelSummary::ModelSummary(ModelSummaryOptions options) : options_(options) {
  options_table().check(options_, "ModelSummary");
}

const OptionsTable<ModelSummaryOptions>& ModelSummary::options_table() {
  using O = ModelSummaryOptions;
  static const OptionsTable<O> table(
      "model_summary", "Logs the model's layers, parameters and sizes when a fit starts.",
      {option("max_depth", &O::max_depth)
           .at_least(-1)
           .doc("Levels of layers to list; 0: no summary, -1: every layer.")});
  return table;
}

HookMask ModelSummary::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  if (options_.max_depth == 0) mask.set(Hook::on_fit_start, false);
  return mask;
}

void ModelSummary::on_fit_start(Event& event) {
  show(event.trainer, summarize(event.module, options_.max_depth));
}

void ModelSummary::show(Trainer&, const Summary& summary) {
  log_text(LogLevel::info, "\n" + summary.to_text());
}

}  // namespace grapnel
