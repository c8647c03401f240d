// unit_fabric: a Fabric with callbacks that a case describes, and calls of them.
#pragma once

#include "journal.h"

namespace grapnel::oracle {

Json fabric_calls(const Case& test, Journal& journal);

}  // namespace grapnel::oracle
