#include "grapnel/loggers/json_lines_logger.h"

#include <cmath>

#include "catch.h"
#include "logger_kit.h"

namespace json_lines_logger_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

std::shared_ptr<JsonLinesLogger> logger_in(const TempDir& directory) {
  return std::make_shared<JsonLinesLogger>(
      JsonLinesLoggerOptions{.directory = directory_in(directory)});
}

}  // namespace

TEST_CASE("JsonLinesLogger writes one line of JSON per call") {
  const TempDir directory;
  const auto logger = logger_in(directory);
  logger->start();
  logger->log_metrics({{"loss", 0.25}, {"epoch", 1.0}, {"step", 99.0}}, 49);
  logger->log_metrics({{"loss", std::nan("")}}, 50);
  logger->save();
  CHECK(grapnel::test::read_file(logger->metrics_file()) ==
        "{\"step\":49,\"loss\":0.25,\"epoch\":1}\n{\"step\":50,\"loss\":\"nan\"}\n");
}

TEST_CASE("JsonLinesLogger of a resumed run continues after the row of its checkpoint") {
  const TempDir directory;
  const auto first = logger_in(directory);
  first->log_metrics({{"a", 1.0}}, 0);
  const StateDict state = first->state_dict();
  first->log_metrics({{"a", 2.0}}, 1);
  first->save();
  const auto second = logger_in(directory);
  second->load_state_dict(state);
  second->log_metrics({{"a", 3.0}}, 1);
  second->save();
  CHECK(grapnel::test::read_file(second->metrics_file()) ==
        "{\"step\":0,\"a\":1.0}\n{\"step\":1,\"a\":3.0}\n");
}

TEST_CASE("JsonLinesLogger refuses a newer format's state, and starts over for another file's") {
  const TempDir directory;
  const auto first = logger_in(directory);
  first->log_metrics({{"a", 1.0}}, 0);
  StateDict state = first->state_dict();
  state["format"] = 2;
  CHECK_THROWS_AS(first->load_state_dict(state), CheckpointError);
  state["format"] = 1;
  state["file"] = "/elsewhere/metrics.jsonl";
  const auto second = logger_in(directory);
  second->load_state_dict(state);
  second->log_metrics({{"a", 2.0}}, 0);
  second->save();
  CHECK(std::filesystem::exists(directory / "csv" / "version_0" / "metrics-1.jsonl"));
}

}  // namespace json_lines_logger_test
