#include "grapnel/log_options.h"

#include "catch.h"
#include "grapnel/base/error.h"

namespace log_options_test {

using namespace grapnel;
using Catch::Contains;

TEST_CASE("metric reductions have Lightning's names") {
  CHECK(parse_reduce("mean") == Reduce::mean);
  CHECK(parse_reduce("avg") == Reduce::mean);
  CHECK(parse_reduce("min") == Reduce::min);
  CHECK(parse_reduce("max") == Reduce::max);
  CHECK(parse_reduce("sum") == Reduce::sum);
  CHECK_THROWS_AS(parse_reduce("median"), ConfigError);
  CHECK_THROWS_WITH(parse_reduce("median"), Contains("'median'") && Contains("'mean', 'avg'"));
}

}  // namespace log_options_test
