// The optimizers and schedulers that a case's configure_optimizers returns.
#pragma once

#include <grapnel/lr_scheduler.h>
#include <grapnel/state_view.h>

#include <optional>

#include "json.h"

namespace grapnel::oracle {

// model: the module spec with "optimizers" and "schedulers"; no "optimizers" means SGD with a
// learning rate of 0.1, null none. attribute: the module's learning rate, for "lr": "attr".
OptimizerConfig make_optimizers(const Json& model, const StateView& view,
                                std::optional<double> attribute);

}  // namespace grapnel::oracle
