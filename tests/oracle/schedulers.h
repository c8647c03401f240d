// The learning-rate schedulers of a case.
#pragma once

#include <grapnel/lr_scheduler.h>

#include <memory>

#include "json.h"

namespace grapnel::oracle {

// spec: "type", "args", and the keys of SchedulerConfig.
SchedulerConfig make_scheduler(const Json& spec, std::shared_ptr<Optimizer> optimizer);

}  // namespace grapnel::oracle
