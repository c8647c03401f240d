#include "grapnel/callbacks/model_summary.h"

#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"

namespace grapnel {

ModelSummary::ModelSummary(ModelSummaryOptions options) : options_(options) {
  if (options_.max_depth >= -1) return;
  throw ConfigError({},
                    fmt::format("ModelSummary: max_depth={} is not possible; it must be -1 (every "
                                "layer), 0 (no summary) or more",
                                options_.max_depth),
                    "max_depth");
}

const ParameterTable& ModelSummary::parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "model_summary", "Logs the model's layers, parameters and sizes when a fit starts.",
      {integer("max_depth", 1)
           .at_least(-1)
           .doc("Levels of layers to list; 0: no summary, -1: every layer.")});
  return table;
}

std::shared_ptr<ModelSummary> ModelSummary::from(const Parameters& p) {
  return std::make_shared<ModelSummary>(
      ModelSummaryOptions{.max_depth = p.get<int64_t>("max_depth")});
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
