// A logger that keeps the values it gets, for tests of what reaches the loggers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/logger.h>

namespace grapnel::test {

class RowLogger final : public Logger {
 public:
  struct Row {
    std::string name;
    std::int64_t step;
    double value;
  };

  // prefix: only metrics whose names begin with it are kept.
  explicit RowLogger(std::string prefix = {}) : prefix_(std::move(prefix)) {}

  std::string name() const override { return "rows"; }
  std::string version() const override { return "version_0"; }
  std::string group_separator() const override { return separator; }
  void log_metrics(const Metrics& metrics, std::int64_t step) override {
    for (const auto& [metric, value] : metrics) {
      if (metric.starts_with(prefix_)) rows.push_back({metric, step, value});
    }
  }

  // The values of a metric, in the order they were logged.
  std::vector<double> values(const std::string& metric) const {
    std::vector<double> values;
    for (const Row& row : rows) {
      if (row.name == metric) values.push_back(row.value);
    }
    return values;
  }
  // The last value of a metric at a step.
  std::optional<double> value(const std::string& metric, std::int64_t step) const {
    std::optional<double> value;
    for (const Row& row : rows) {
      if (row.name == metric && row.step == step) value = row.value;
    }
    return value;
  }

  std::vector<Row> rows;
  std::string separator = "/";

 private:
  std::string prefix_;
};

}  // namespace grapnel::test
