// Logs what the model is made of when a fit starts: layers, parameters, sizes, operations
// (<grapnel/summary.h>).
//
// After Lightning's class of that name. Sizes and operations are listed when the module has an
// example_input(). Derive and override show() to present it otherwise. It keeps no state.
#pragma once

#include <cstdint>
#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/summary.h"

namespace grapnel {

struct ModelSummaryOptions {
  int64_t max_depth = 1;  // levels of layers to list; 0: no summary at all, -1: every layer
};

class GRAPNEL_CORE_API ModelSummary : public Callback {
 public:
  // Throws ConfigError when max_depth is below -1.
  explicit ModelSummary(ModelSummaryOptions options = {});

  static const OptionsTable<ModelSummaryOptions>& options_table();

  void on_fit_start(Event& event) override;
  HookMask wanted(const HookMask& overridden) const override;

 protected:
  // Default: logs the table as one message.
  virtual void show(Trainer& trainer, const Summary& summary);

 private:
  ModelSummaryOptions options_;
};

}  // namespace grapnel
