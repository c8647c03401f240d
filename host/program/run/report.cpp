#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/files.h>
#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/dispatcher.h>
#include <grapnel/request.h>

#include "output.h"

namespace grapnel::program {
namespace {

// "max_epochs", "early_stopping: val_loss did not improve", "interrupted by SIGINT"
std::string stop_reason(const Session& session, std::string_view interrupted) {
  if (!interrupted.empty()) return std::string(interrupted);
  if (session.request().kind != RunKind::fit) return "finished";
  const auto& granted = session.trainer().granted_requests();
  const auto stop = std::find_if(granted.begin(), granted.end(), [](const Request& request) {
    return request.kind == RequestKind::stop;
  });
  if (stop != granted.end()) return stop->author + ": " + stop->reason;
  const RunState& state = session.trainer().state();
  if (state.max_steps >= 0 && session.trainer().global_step() >= state.max_steps) {
    return "max_steps";
  }
  return "max_epochs";
}

ConfigValue plugins_json(const Session& session) {
  ConfigValue plugins = ConfigValue::array();
  for (const CallbackHandle& handle : session.trainer().callbacks()) {
    const auto* plugin = dynamic_cast<const bridge::PluginCallback*>(handle.callback.get());
    if (plugin == nullptr) continue;
    ConfigValue entry = ConfigValue::object();
    entry.set("id", plugin->site().plugin);
    entry.set("version", plugin->site().version);
    entry.set("callback", plugin->site().callback);
    entry.set("source", handle.source);
    entry.set("disabled", session.trainer().dispatcher().disabled(plugin));
    plugins.append(std::move(entry));
  }
  return plugins;
}

// Progress of the training: now, or when the evaluated weights were written.
struct Standing {
  std::int64_t global_step = 0;
  std::int64_t epoch = 0;
};

Standing standing_of(const Session& session) {
  if (session.request().kind == RunKind::fit || session.checkpoint().empty()) {
    return {session.trainer().global_step(), session.trainer().current_epoch()};
  }
  const CheckpointFile file = CheckpointFile::open(session.checkpoint(), CheckpointCheck::on_use);
  const ConfigValue& written = file.document().at("checkpoint");
  return {written.at("global_step").as_int(), written.at("epoch").as_int()};
}

std::string resume_command(const Session& session) {
  const std::string directory = display_path(session.run_directory());
  return fmt::format("grapnel fit --run-dir {} --ckpt last", directory);
}

}  // namespace

ConfigValue report_json(const Session& session, std::string_view interrupted) {
  ConfigValue metrics = ConfigValue::object();
  for (const MetricDict::Entry& entry : session.metrics()) {
    metrics.set(entry.name, entry.value.number());
  }
  const std::filesystem::path checkpoint = session.checkpoint();
  ConfigValue report = ConfigValue::object();
  report.set("metrics", std::move(metrics));
  const Standing standing = standing_of(session);
  report.set("global_step", standing.global_step);
  report.set("epoch", standing.epoch);
  report.set("stop_reason", stop_reason(session, interrupted));
  report.set("checkpoint", checkpoint.empty() ? ConfigValue() : ConfigValue(checkpoint.string()));
  report.set("run_directory", session.run_directory().string());
  report.set("plugins", plugins_json(session));
  if (session.request().kind == RunKind::predict && interrupted.empty()) {
    report.set("predictions", session.predictions_file().string());
  }
  return report;
}

std::string report_text(const Session& session, std::string_view interrupted) {
  const bool fit = session.request().kind == RunKind::fit;
  std::string text;
  TextTable table({"metric", "value"});
  for (const MetricDict::Entry& entry : session.metrics()) {
    table.add({printable(entry.name), fmt::format("{:.6g}", entry.value.number())});
  }
  if (!session.metrics().empty()) text += table.to_text(output_width()) + "\n";
  const auto line = [&text](std::string_view name, std::string_view value) {
    text += fmt::format("{:<12} {}\n", name, value);
  };
  if (fit || !interrupted.empty()) {
    line("ended", fmt::format("{} after {} epochs, {} steps", stop_reason(session, interrupted),
                              session.trainer().current_epoch(), session.trainer().global_step()));
  }
  const std::filesystem::path checkpoint = session.checkpoint();
  if (!checkpoint.empty()) line("checkpoint", display_path(checkpoint));
  if (fit && !checkpoint.empty()) line("resume", resume_command(session));
  if (!session.predictions_file().empty()) {
    line("predictions", display_path(session.predictions_file()));
  }
  return text;
}

}  // namespace grapnel::program
