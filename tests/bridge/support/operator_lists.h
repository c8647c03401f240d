// Lists as arguments of operators; they borrow the vector's memory.
#pragma once

#include <cstdint>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/ext/aten.h>

namespace grapnel::test {

inline grapnel_value integers(const std::vector<std::int64_t>& list) {
  grapnel_value value{GRAPNEL_VALUE_I64_LIST, 0, list.size(), {nullptr}};
  value.u.i64s = list.data();
  return value;
}

inline grapnel_value numbers(const std::vector<double>& list) {
  grapnel_value value{GRAPNEL_VALUE_F64_LIST, 0, list.size(), {nullptr}};
  value.u.f64s = list.data();
  return value;
}

inline grapnel_value tensors(const std::vector<grapnel_tensor*>& list) {
  grapnel_value value{GRAPNEL_VALUE_TENSOR_LIST, 0, list.size(), {nullptr}};
  value.u.tensors = list.data();
  return value;
}

}  // namespace grapnel::test
