// Parameters that leases of plugins have frozen. Of several leases of one parameter, of whatever
// plugins, the last that ends lets it train again.
#pragma once

#include <ATen/core/Tensor.h>

namespace grapnel::bridge {

// False, and nothing is done: the parameter gets no gradient anyway.
bool freeze(const at::Tensor& parameter);
// Once for each freeze() that was true.
void unfreeze(const at::Tensor& parameter) noexcept;

}  // namespace grapnel::bridge
