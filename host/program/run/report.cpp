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

// "max_epochs", "early_stopping: val_loss did not improve", "interrupted by SIGINT"; of a fit that had no
// batch to train on, what kept it from one
std::string stop_reason(const Session& session, std::string_view interrupted) {
  if (!interrupted.empty()) return std::string(interrupted);
  if (session.request().kind != RunKind::fit) return "finished";
  const auto& granted = session.trainer().granted_requests();
  const auto stop = std::find_if(granted.begin(), granted.end(), [](const Request& request) {
    return request.kind == RequestKind::stop;
  });
  if (stop != granted.end()) return stop->author + ": " + stop->reason;
  const Trainer& trainer = session.trainer();
  const RunState& state = trainer.state();
  if (state.max_steps >= 0 && trainer.global_step() >= state.max_steps) return "max_steps";
  if (trainer.options().limit_train_batches.is_zero()) return "limit_train_batches";
  if (state.max_epochs >= 0 && trainer.current_epoch() >= state.max_epochs) return "max_epochs";
  return "no training batches";
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

// A word of a command as a shell takes it.
std::string shell_word(const std::string& word) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./,:=+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// With what isn't in the run's run.json.
std::string resume_command(const Session& session) {
  const RunRequest& request = session.request();
  std::string command =
      "grapnel fit --run-dir " + shell_word(display_path(session.run_directory()));
  command += " --ckpt last";
  const auto add = [&command](const char* option, const std::vector<std::string>& values) {
    for (const std::string& value : values)
      command += fmt::format(" {} {}", option, shell_word(value));
  };
  add("--plugin", request.plugins);
  add("--no-plugin", request.no_plugins);
  add("--plugin-path", request.plugin_path);
  if (request.threads > 0) command += fmt::format(" --threads {}", request.threads);
  return command;
}

// Why a resumed fit trained nothing, and what to change for it to train.
std::string nothing_trained_text(const Session& session, const std::string& reason,
                                 const std::string& length) {
  const Trainer& trainer = session.trainer();
  const TrainerOptions& options = trainer.options();
  const RunState& state = trainer.state();
  const auto& granted = trainer.granted_requests();
  const bool was_stopped = std::any_of(granted.begin(), granted.end(), [](const Request& request) {
    return request.kind == RequestKind::stop;
  });
  if (options.fast_dev_run > 0) {
    return fmt::format(
        "nothing was trained: trainer.fast_dev_run ends a training after {} step{}, and this one has "
        "{}; to train on, leave fast_dev_run out",
        options.fast_dev_run, options.fast_dev_run == 1 ? "" : "s", length);
  }
  if (options.limit_train_batches.is_zero()) {
    return fmt::format(
        "nothing was trained: trainer.limit_train_batches is 0; the checkpoint has {} steps",
        trainer.global_step());
  }
  if (was_stopped) {
    return fmt::format(
        "nothing was left to train: the run had ended before ({} after {}); to train on, change the "
        "options of what stopped it, such as the patience of early_stopping, or leave it out",
        reason, length);
  }
  const bool by_steps = state.max_steps >= 0 && trainer.global_step() >= state.max_steps;
  const bool by_epochs = state.max_epochs >= 0 && trainer.current_epoch() >= state.max_epochs;
  if (by_steps || by_epochs) {
    return fmt::format(
        "nothing was left to train: the checkpoint has {}, and trainer.{} is {}; to train on, raise "
        "it",
        length, by_steps ? "max_steps" : "max_epochs",
        by_steps ? state.max_steps : state.max_epochs);
  }
  return fmt::format("nothing was trained: the checkpoint has {}, and no epoch has batches here",
                     length);
}

std::string ended_text(const Session& session, std::string_view interrupted) {
  const std::string reason = stop_reason(session, interrupted);
  const std::string length = fmt::format("{} epochs, {} steps", session.trainer().current_epoch(),
                                         session.trainer().global_step());
  if (session.had_nothing_to_do() && interrupted.empty()) {
    return nothing_trained_text(session, reason, length);
  }
  return fmt::format("{} after {}", reason, length);
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
  const std::filesystem::path best = session.best_checkpoint();
  if (!best.empty()) report.set("best_checkpoint", best.string());
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
    text += fmt::format("{:<12} {}\n", name, printable(value));
  };
  if (fit || !interrupted.empty()) line("ended", ended_text(session, interrupted));
  const std::filesystem::path checkpoint = session.checkpoint(), best = session.best_checkpoint();
  if (!checkpoint.empty()) line("checkpoint", display_path(checkpoint));
  if (!best.empty() && best != checkpoint) line("best", display_path(best));
  const bool can_resume = !checkpoint.empty() || !session.loaded_checkpoint().empty();
  if (fit && can_resume && !session.run_directory().empty())
    line("resume", resume_command(session));
  if (!session.predictions_file().empty()) {
    line("predictions", display_path(session.predictions_file()));
  }
  return text;
}

}  // namespace grapnel::program
