#include "grapnel/loggers/memory_logger.h"

#include "catch.h"

namespace memory_logger_test {

using namespace grapnel;

TEST_CASE("MemoryLogger keeps rows in the order of calls, and a loaded state drops later ones") {
  MemoryLogger logger({.name = "mine", .version = "v"});
  CHECK(logger.name() == "mine");
  logger.log_metrics({{"a", 1.0}, {"b", 2.0}}, 3);
  const StateDict state = logger.state_dict();
  logger.log_metrics({{"a", 4.0}}, 5);
  REQUIRE(logger.rows().size() == 2);
  CHECK(logger.rows()[1].step == 5);
  CHECK(logger.rows()[0].metrics == Logger::Metrics{{"a", 1.0}, {"b", 2.0}});
  logger.load_state_dict(state);
  CHECK(logger.rows().size() == 1);
  logger.log_hyperparams({{"lr", 0.1}});
  CHECK(logger.hyper_parameters().at(0).at("lr").to_double() == 0.1);
}

}  // namespace memory_logger_test
