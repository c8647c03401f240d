// Callbacks that change the model: PlanFinetuning and TableWeightAveraging, which are the cases' own,
// and those of the library that a case gives functions.
#pragma once

#include <grapnel/callback.h>

#include "json.h"

namespace grapnel::oracle {

// BaseFinetuning that freezes `freeze`, and at epoch e with `plan[e]` unfreezes its modules.
CallbackHandle make_plan_finetuning(const Json& arguments);
// WeightAveraging that updates after the steps and epochs in its lists.
CallbackHandle make_table_weight_averaging(const Json& arguments);
// lambda_func may be a function.
CallbackHandle make_backbone_finetuning(const Json& arguments);
// parameters_to_prune is {"$params": [[module, name]]}; amount and two flags may be functions.
CallbackHandle make_model_pruning(const Json& arguments);

}  // namespace grapnel::oracle
