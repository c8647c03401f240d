// Whether data fit a classifier, found before the run begins: the size of its input, and the classes
// of its targets.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "grapnel/events.h"
#include "grapnel/module.h"

namespace grapnel {

// "row 18 of 'a.csv' has the class 7, but MLP has 5 outputs, for the classes 0 to 4"
std::string no_such_class(const std::string& where, int64_t found, const Module& module,
                          int64_t outputs);

// The place of the first target [N] of integers that is no class from 0 to below `outputs`, nor the
// index that cross_entropy leaves out; -1: there is none.
int64_t first_wrong_class(const at::Tensor& targets, int64_t outputs);

// Throws DataError naming the model's option, or the sample. Looks at an MLP and a CNN with data of a
// TensorDataModule; what other data have in them, or models derived from these take, isn't known.
void check_data(Module& module, const StageEvent& event);

}  // namespace grapnel
