#include "grapnel/log_options.h"

#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

Reduce parse_reduce(const std::string& text) {
  if (text == "mean" || text == "avg") return Reduce::mean;
  if (text == "min") return Reduce::min;
  if (text == "max") return Reduce::max;
  if (text == "sum") return Reduce::sum;
  const std::string candidate = nearest(text, {"mean", "avg", "min", "max", "sum"}).value_or("");
  throw ConfigError(
      {},
      fmt::format("cannot reduce a metric by {}; use 'mean', 'avg', 'min', 'max' or 'sum'",
                  quote(text)),
      {}, candidate);
}

}  // namespace grapnel
