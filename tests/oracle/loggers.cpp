#include "loggers.h"

#include <fmt/format.h>
#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/loggers/registry.h>

#include <algorithm>
#include <string>

#include "state_json.h"

namespace grapnel::oracle {
namespace {

// Stores each call; with "logger_trace" recorded, reports it too.
class RowsLogger final : public Logger {
 public:
  RowsLogger(Journal& journal, std::filesystem::path directory)
      : journal_(journal),
        directory_(std::move(directory)),
        traced_(journal.test().records("logger_trace")) {}

  std::string name() const override { return "rows"; }
  std::string version() const override { return "version_0"; }
  std::filesystem::path save_dir() const override { return directory_; }

  void log_metrics(const Metrics& metrics, std::int64_t step) override {
    std::vector<std::string> keys;
    Json values = Json::object();
    for (const auto& [key, value] : metrics) {
      keys.push_back(key);
      values.set(key, number(value));
    }
    std::sort(keys.begin(), keys.end());
    enter("log_metrics", fmt::format("step={},keys={}", step, join(keys, "|")));
    Json row = Json::object();
    row.set("step", step);
    row.set("metrics", std::move(values));
    journal_.rows.append(std::move(row));
  }

  void log_hyperparams(const StateDict& parameters) override {
    enter("log_hyperparams", "");
    journal_.hparams.append(state_json(parameters));
  }

  void save() override { enter("save", ""); }

  void finalize(const std::string& status) override {
    enter("finalize", fmt::format("status={}", status));
  }

  void after_save_checkpoint(const std::filesystem::path&) override {
    enter("after_save_checkpoint", "");
  }

 private:
  void enter(std::string_view hook, const std::string& arguments) {
    if (traced_) journal_.enter("logger", hook, arguments);
  }

  Journal& journal_;
  std::filesystem::path directory_;
  bool traced_;
};

std::shared_ptr<Logger> make_logger(const std::string& kind, Journal& journal,
                                    const std::filesystem::path& directory) {
  if (kind == "rows") return std::make_shared<RowsLogger>(journal, directory);
  if (logger_registry().find(kind) == nullptr)
    throw Error("this build has no logger '" + kind + "'");
  Json options = Json::object();
  options.set("save_dir", directory.string());
  options.set("name", kind == "tensorboard" ? "tb" : kind);
  options.set("version", "version_0");
  return grapnel::make_logger(kind, options, "loggers." + kind);
}

}  // namespace

std::vector<std::shared_ptr<Logger>> make_loggers(const Json& spec, Journal& journal,
                                                  const std::filesystem::path& directory) {
  std::vector<std::shared_ptr<Logger>> loggers;
  if (spec.is_string()) loggers.push_back(make_logger(spec.as_string(), journal, directory));
  if (spec.is_array()) {
    for (const Json& kind : spec.as_array()) {
      loggers.push_back(make_logger(kind.as_string(), journal, directory));
    }
  }
  return loggers;
}

}  // namespace grapnel::oracle
