#include "run_config.h"

#include <fmt/format.h>

#include <utility>

#include <grapnel/base/text.h>
#include <grapnel/data/registry.h>
#include <grapnel/trainer_options.h>

namespace grapnel::program {
namespace {

// The run without a file: a second or two, 95 % of the digits correct.
constexpr std::string_view kDefaultRun = R"({
  "model": {"name": "mlp", "hidden": [64]},
  "data": {"name": "digits", "batch_size": 32},
  "optimizer": {"name": "Adam", "lr": 0.001},
  "trainer": {"max_epochs": 20, "log_every_n_steps": 10}
})";

// "AdamW" or {"name": "AdamW", ...} as an object that keeps its position in the file.
ConfigValue as_object(const ConfigValue& config) {
  if (!config.is_string()) return config;
  ConfigValue object = ConfigValue::object();
  const SourcePosition position = config.position();
  object.set_position(std::make_shared<const std::string>(position.file), position.line,
                      position.column);
  object.set("name", config);
  return object;
}

// The name in such a config; empty when it is malformed.
std::string name_in(const ConfigValue& config) {
  const ConfigValue* name = config.is_object() ? config.find("name") : &config;
  return name != nullptr && name->is_string() ? name->as_string() : std::string();
}

// The text as a file name: letters, digits, '-', '_' and '.'.
std::string file_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    name += plain ? c : '_';
  }
  return name.empty() || name.front() == '.' ? "run" + name : name;
}

bool takes_seed(const std::string& data) {
  const DataRegistry::Entry* entry = data_registry().find(data);
  return entry != nullptr && entry->parameters().find("seed") != nullptr;
}

}  // namespace

const ParameterTable& run_parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "run.json", "Model, data, training and everything attached to it.",
      {any("model", "mlp").doc("The model: its name, or an object with its parameters."),
       any("data", "digits").doc("The data: its name, or an object with its parameters."),
       any("optimizer").nullable().doc("The optimizer, unless it is in 'model'."),
       any("scheduler").nullable().doc("The learning-rate scheduler, unless it is in 'model'."),
       object("trainer", trainer_options_table().parameters())
           .doc("Length, limits, validation and logging of the training."),
       any("callbacks", ConfigValue::object())
           .doc("Callbacks by name with their parameters, or a list of "
                "them; false turns off one of an enabled plugin."),
       any("loggers", "csv").doc("Loggers: a name, a list of names, or an object by name."),
       integer("seed", 0).nullable().at_least(0).doc(
           "Seed of all randomness: weights, data order, dropout; null: from the clock."),
       parameter::string("name", "")
           .doc("Name of the run directory; empty: from the model and the data."),
       parameter::string("run_dir", "")
           .doc(
               "Directory for everything the run writes; empty: runs/NAME-N, the next free one.")});
  return table;
}

RunConfig read_run_config(const std::optional<std::filesystem::path>& file,
                          const std::vector<std::string>& assignments) {
  RunConfig config;
  config.source = file ? read_json_file(*file) : parse_json(kDefaultRun, "the default run");
  for (const std::string& assignment : assignments) set_by_path(config.source, assignment);
  config.parameters = run_parameters().validate(config.source, "");
  return config;
}

ConfigValue RunConfig::model() const {
  ConfigValue model = as_object(parameters.get<ConfigValue>("model"));
  for (const char* key : {"optimizer", "scheduler"}) {
    if (parameters.is_null(key)) continue;
    if (model.contains(key)) {
      throw parameters.error(key, fmt::format("'{}' is also in 'model'; remove one of them", key));
    }
    if (model.is_object()) model.set(key, parameters.get<ConfigValue>(key));
  }
  return model;
}

ConfigValue RunConfig::data() const {
  ConfigValue data = as_object(parameters.get<ConfigValue>("data"));
  if (parameters.is_null("seed") || !data.is_object() || data.contains("seed")) return data;
  if (takes_seed(name_in(data))) data.set("seed", parameters.get<std::int64_t>("seed"));
  return data;
}

std::string RunConfig::name() const {
  const std::string given = parameters.get<std::string>("name");
  if (!given.empty()) return file_name(given);
  return file_name(name_in(parameters.get<ConfigValue>("model")) + "-" +
                   name_in(parameters.get<ConfigValue>("data")));
}

}  // namespace grapnel::program
