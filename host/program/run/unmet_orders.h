// What plugins ask for that the order of a run's callbacks does not give: their 'before' and 'after'
// may name built-in callbacks too, whose places are fixed. Searches come first, then the callbacks of
// run.json in its order and the default ones, then plugins, then what writes checkpoints.
#pragma once

#include <string>
#include <vector>

#include <grapnel/callback.h>
#include <grapnel/host/selection.h>

namespace grapnel::program {

struct UnmetOrder {
  std::string plugin;  // its id
  std::string text;    // "asks to come before 'early_stopping', but comes after it"
};

// In the order of the plugins; only of built-in callbacks that the run has.
[[nodiscard]] std::vector<UnmetOrder> unmet_orders(const std::vector<CallbackHandle>& callbacks,
                                                   const host::PluginSelection& selection);

}  // namespace grapnel::program
