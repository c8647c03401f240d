// Compares plain values: numbers with a tolerance, objects as sets of pairs.
#pragma once

#include <optional>
#include <string>

#include "json.h"

namespace grapnel::oracle {

// |a - b| <= 1e-5 * (1 + |b|), b being the recorded one; NaN equals NaN.
bool same_number(double expected, double got);

// The first difference, with its path: "rows[2].metrics.val_loss: expected 3.0, got 4.0".
std::optional<std::string> value_difference(const Json& expected, const Json& got,
                                            const std::string& path);
// Objects: what is expected must be there; more may be.
std::optional<std::string> subset_difference(const Json& expected, const Json& got,
                                             const std::string& path);
// Lists of texts, in any order.
std::optional<std::string> set_difference(const Json& expected, const Json& got,
                                          const std::string& path);
// Texts of CSV files: numbers in cells with the tolerance.
std::optional<std::string> csv_difference(const Json& expected, const Json& got);

}  // namespace grapnel::oracle
