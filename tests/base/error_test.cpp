#include <grapnel/base/error.h>

#include <cerrno>
#include <csignal>

#include "catch.h"

namespace error_test {

using namespace grapnel;

TEST_CASE("a configuration error says where, and carries every fact as a field") {
  const ConfigError error({"run.json", 3, 14}, "unknown key 'patiense'", "callbacks.0.patiense",
                          "patience");
  CHECK(std::string(error.what()) == "run.json:3:14: unknown key 'patiense'");
  CHECK(error.file == "run.json");
  CHECK(error.line == 3);
  CHECK(error.column == 14);
  CHECK(error.key == "callbacks.0.patiense");
  CHECK(error.nearest == "patience");
}

TEST_CASE(
    "a configuration error without a line names its source, and one without a source names "
    "neither") {
  CHECK(std::string(ConfigError({"--set a.b", 0, 0}, "no").what()) == "--set a.b: no");
  CHECK(std::string(ConfigError({}, "no").what()) == "no");
}

TEST_CASE("a configuration error about a value from code is formatted and names its key") {
  const ConfigError error = ConfigError::of("window", "window must be at least {}, found {}", 1, 0);
  CHECK(std::string(error.what()) == "window must be at least 1, found 0");
  CHECK(error.key == "window");
  CHECK(error.line == 0);
  CHECK(std::string(ConfigError::of("", "{{no}} {}", "more").what()) == "{no} more");
}

TEST_CASE("a plugin that fails in a hook is named with version, callback and hook") {
  const auto error = PluginError::in_hook({"ema", "1.2.0", "average", "on_train_batch_end"}, "no");
  CHECK(std::string(error.what()) ==
        "plugin 'ema' 1.2.0: callback 'average' failed in on_train_batch_end: no");
  CHECK(error.plugin == "ema");
  CHECK(error.version == "1.2.0");
  CHECK(error.callback == "average");
  CHECK(error.hook == "on_train_batch_end");
}

TEST_CASE("names in errors cannot drive a terminal") {
  const auto plugin = PluginError::in_hook({"\x1b[2Jevil", "1\n2", "a\rb", "h"}, "no");
  const std::string text = plugin.what();
  CHECK(text.find_first_of("\x1b\n\r") == std::string::npos);
  CHECK(std::string(IoError("open", "/tmp/\x1b[31m", ENOENT).what()).find('\x1b') ==
        std::string::npos);
}

TEST_CASE("an input or output error names action, path, cause and hint") {
  const IoError error("open", "/nowhere/x", ENOENT, "check the path");
  CHECK(std::string(error.what()) ==
        "cannot open '/nowhere/x': No such file or directory; check the path");
  CHECK(error.path == "/nowhere/x");
  CHECK(error.error_number == ENOENT);
}

TEST_CASE("metric, data and checkpoint errors carry their facts") {
  const MetricError metric("no metric 'val_los'", "val_los", {"val_loss", "train_loss"});
  CHECK(metric.metric == "val_los");
  CHECK(metric.available == std::vector<std::string>{"val_loss", "train_loss"});
  const DataError data("3 columns expected", "a.csv");
  CHECK(std::string(data.what()) == "'a.csv': 3 columns expected");
  CHECK(data.detail == "3 columns expected");
  CHECK(std::string(DataError("no data").what()) == "no data");
  CHECK(std::string(CheckpointError("last.ckpt", "truncated").what()) ==
        "checkpoint 'last.ckpt': truncated");
}

TEST_CASE("every error is copied whole, as std::exception_ptr does") {
  try {
    try {
      throw MetricError("text", "name", {"a", "b"});
    } catch (...) {
      std::rethrow_exception(std::current_exception());
    }
  } catch (const Error& error) {
    const auto& metric = dynamic_cast<const MetricError&>(error);
    const MetricError copy = metric;
    CHECK(std::string(copy.what()) == "text");
    CHECK(copy.available.size() == 2);
  }
}

TEST_CASE("exit codes follow the kind of error") {
  CHECK(exit_code_of(ConfigError({}, "x")) == 3);
  CHECK(exit_code_of(PluginError("x", {"id", "1", "", ""})) == 4);
  CHECK(exit_code_of(PluginError::in_hook({"id", "1", "cb", "on_fit_start"}, "x")) == 1);
  CHECK(exit_code_of(CheckpointError("x", "y")) == 5);
  CHECK(exit_code_of(Interrupted(SIGTERM)) == 128 + SIGTERM);
  CHECK(exit_code_of(MetricError("x", "y", {})) == 1);
  CHECK(exit_code_of(DataError("x")) == 1);
  CHECK(exit_code_of(IoError("open", "x", ENOSPC)) == 6);
  const auto full = std::make_error_code(std::errc::no_space_on_device);
  CHECK(exit_code_of(std::filesystem::filesystem_error("x", full)) == 6);
  CHECK(exit_code_of(std::runtime_error("x")) == 1);
}

TEST_CASE("an interruption names its signal") {
  CHECK(std::string(Interrupted(SIGINT).what()) == "interrupted by SIGINT");
  CHECK(Interrupted(SIGINT).signal_number == SIGINT);
}

}  // namespace error_test
