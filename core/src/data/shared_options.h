// The rows of options that several data sets have, for their tables to embed.
#pragma once

#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/data/tensor_data_module.h"

namespace grapnel {

std::vector<Option<DataOptions>> loading_options();
// "val_fraction", "test_fraction", "split_seed"
std::vector<Option<SplitOptions>> split_options();

}  // namespace grapnel
