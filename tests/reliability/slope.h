// A straight line through measurements.
#pragma once

#include <utility>
#include <vector>

namespace grapnel::reliability {

struct Slope {
  double value = 0;           // of y per x
  double standard_error = 0;  // of value
};

// Least squares over the means of `blocks` blocks of equal length: neighbouring measurements depend on
// each other, means of blocks hardly do. All zero for fewer than three measurements.
Slope slope_of(const std::vector<std::pair<double, double>>& points, int blocks = 30);

}  // namespace grapnel::reliability
