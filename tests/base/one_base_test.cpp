// A program and a shared library that both link base have one log sink, and catch one another's
// exceptions.
#include <grapnel/base/error.h>

#include <vector>

#include "base_sharer.h"
#include "captured_log.h"
#include "catch.h"

namespace one_base_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("messages from a shared library reach the sink that the program set") {
  const CapturedLog log;
  base_sharer::log("from the library");
  log_info("from the program");
  CHECK(log.lines() ==
        std::vector<std::string>{"info: from the library", "info: from the program"});
}

TEST_CASE("log_once counts once for the program and its libraries") {
  CHECK(first_time("one key"));
  CHECK_FALSE(base_sharer::first_time("one key"));
}

TEST_CASE("exceptions are caught by their type across the boundary") {
  CHECK_THROWS_AS(base_sharer::throw_config_error(), ConfigError);
  CHECK(base_sharer::catches_checkpoint_error([] { throw CheckpointError("a", "b"); }));
  CHECK_FALSE(base_sharer::catches_checkpoint_error([] { throw DataError("b"); }));
}

}  // namespace one_base_test
