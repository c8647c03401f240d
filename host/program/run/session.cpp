#include "session.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/bridge/plugins.h>
#include <grapnel/bridge/process_state_claim.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/callbacks/on_exception_checkpoint.h>
#include <grapnel/callbacks/progress_bar.h>
#include <grapnel/ext/terminal.h>
#include <grapnel/host/crash_note.h>
#include <grapnel/host/suspicion.h>
#include <grapnel/prediction_file.h>
#include <grapnel/terminal_progress.h>

#include "callbacks_section.h"
#include "checkpoint_places.h"
#include "last_state_keeper.h"
#include "loggers_section.h"
#include "nan_warning.h"
#include "plugin_costs.h"
#include "run_directory.h"
#include "run_log.h"
#include "signals.h"
#include "unmet_orders.h"

namespace grapnel::program {
namespace {

namespace fs = std::filesystem;

bool is_in_a_run(const std::string& checkpoint) {
  return checkpoint == "last" || checkpoint == "best" || checkpoint == "auto";
}

// Before the work whose result is to be in the file. IoError.
void require_writable(const fs::path& file) {
  create_parent_directories(file);
  std::error_code error;
  if (fs::is_directory(file, error)) throw IoError("write to", file, EISDIR);
  const AtomicFile attempt(file, Durability::fast);
}

// Without a separator at its end: its last part names it.
fs::path without_trailing_separator(const fs::path& directory) {
  return directory.has_filename() ? directory : directory.parent_path();
}

// File systems take 255 bytes. The rest is for the name that a file has while it is written, and for
// numbers that grow.
constexpr std::size_t kLongestName = 200;

void check_length(const fs::path& file, const char* option) {
  const std::size_t size = file.filename().string().size();
  if (size <= kLongestName) return;
  throw ConfigError::of(option,
                        "the name of a checkpoint would have {} bytes; at most {} are accepted: "
                        "shorten {}",
                        size, kLongestName, option);
}

// A file's name that can't be used, or a template of one, is told now, not by the first checkpoint.
void check_names(const std::vector<CallbackHandle>& callbacks) {
  const ModelCheckpoint::Metrics start = {{"epoch", std::int64_t{0}}, {"step", std::int64_t{0}}};
  for (const CallbackHandle& handle : callbacks) {
    if (const auto* writer = dynamic_cast<const ModelCheckpoint*>(handle.callback.get())) {
      check_length(writer->format_checkpoint_name(start), "callbacks.model_checkpoint.filename");
      check_length(writer->format_checkpoint_name(start, writer->options().name_last),
                   "callbacks.model_checkpoint.name_last");
    } else if (const auto* on_exception =
                   dynamic_cast<const OnExceptionCheckpoint*>(handle.callback.get())) {
      check_length(on_exception->ckpt_path(), "callbacks.on_exception_checkpoint.filename");
    }
  }
}

// Metrics of all loaders; with several loaders, their names contain the loader's index.
MetricDict merged(const std::vector<MetricDict>& results) {
  MetricDict all;
  for (const MetricDict& result : results) all.update(result);
  return all;
}

// However the run ends.
struct CostsAtEnd {
  const Trainer& trainer;
  ~CostsAtEnd() {
    try {
      warn_of_costly_plugins(trainer);
    } catch (const std::exception& error) {
      log_error("the costs of plugins are unknown: {}", error.what());
    }
  }
};

// Whether a plugin may want the terminal, also where the built-in bar isn't wanted.
bool a_plugin_draws(const host::PluginSelection& selection) {
  return std::ranges::any_of(selection.plugins, [](const host::SelectedPlugin& plugin) {
    const auto uses = [](const std::vector<std::string>& ids) {
      return std::ranges::find(ids, GRAPNEL_EXT_TERMINAL) != ids.end();
    };
    return uses(plugin.manifest->required_extensions) || uses(plugin.manifest->optional_extensions);
  });
}

}  // namespace

Session::Session(const RunRequest& request) : request_(request) {
  RunLog::show(request_.quiet ? LogLevel::warning : LogLevel::info, nullptr);
  choose_directory();
  load_config();
  Signals::check();
  selection_ = host::select_plugins({.discovery = {.plugin_path = request_.plugin_path},
                                     .plugins = request_.plugins,
                                     .no_plugins = request_.no_plugins,
                                     .environment = std::nullopt});
  for (const std::string& notice : selection_.notices) log_text(LogLevel::info, notice);
  tell_of_crashes();
  make_parts();
  Signals::check();
}

// A plugin that ended the last process is the first suspect when this one ends too.
void Session::tell_of_crashes() const {
  const auto directories = host::HostDirectories::of_this_user();
  const host::Suspicions suspicions(directories);
  for (const host::SelectedPlugin& plugin : selection_.plugins) {
    const std::string& id = plugin.manifest->id;
    const std::string version = printable(plugin.manifest->version);
    const host::Suspicion suspicion = suspicions.of(id, plugin.manifest->version, plugin.digest);
    if (!suspicion.crash.empty()) {
      const auto latest = latest_run_directory();
      const bool can_resume = request_.kind == RunKind::fit && latest && has_checkpoints(*latest);
      log_warning("plugin {} {} {} the last time it ran; to run without it: --no-plugin {}{}",
                  quote(id), version, suspicion.crash, id,
                  can_resume ? "; to resume what it ended: grapnel fit --ckpt last" : "");
    } else if (!suspicion.probe.empty()) {
      log_warning("plugin {} {} failed when it was tried: {}; to run without it: --no-plugin {}",
                  quote(id), version, suspicion.probe, id);
    }
  }
}

void Session::forget_crashes() const {
  const auto directories = host::HostDirectories::of_this_user();
  for (const host::SelectedPlugin& plugin : selection_.plugins) {
    host::forget_crash(plugin.manifest->id, directories);
  }
}

// Chooses the run directory and the checkpoint to start from. The directory of a new fit is created
// later, after everything else has been checked.
void Session::choose_directory() {
  const std::string& wanted = request_.checkpoint;
  const bool fit = request_.kind == RunKind::fit;
  run_directory_ = without_trailing_separator(request_.run_directory);
  if (!wanted.empty() && !is_in_a_run(wanted)) {
    checkpoint_ = wanted;
    if (run_directory_.empty()) run_directory_ = run_directory_of(checkpoint_).value_or("");
    return;
  }
  if (fit && wanted.empty()) return;
  if (run_directory_.empty() && request_.config) {
    const RunConfig config = read_run_config(request_.config, request_.assignments);
    run_directory_ = without_trailing_separator(config.parameters.get<std::string>("run_dir"));
  }
  if (run_directory_.empty() && wanted == "auto") {
    throw ConfigError({}, "--ckpt auto needs --run-dir: the run to resume, or to begin", "ckpt");
  }
  if (run_directory_.empty()) {
    const auto latest = latest_run_directory();
    if (!latest) {
      throw CheckpointError(
          kRunsDirectory,
          fmt::format(
              "there is no run with a checkpoint here{}; {}",
              wanted.empty() ? "" : fmt::format(" that --ckpt {} could mean", wanted),
              "train one with 'grapnel fit', or give the path of a checkpoint with --ckpt"));
    }
    run_directory_ = *latest;
  }
  if (!has_checkpoints(run_directory_) && wanted == "auto") return;
  // The last one is known only when no other process writes any.
  const bool trains = fit && !request_.explain;
  if (trains && has_checkpoints(run_directory_)) claim_.emplace(run_directory_);
  choose_checkpoint();
}

void Session::choose_checkpoint() {
  const std::string& wanted = request_.checkpoint;
  const bool fit = request_.kind == RunKind::fit;
  const auto use = fit ? CheckpointUse::resume : CheckpointUse::weights;
  checkpoint_ = wanted.empty() || wanted == "best" ? program::best_checkpoint(run_directory_)
                                                   : program::last_checkpoint(run_directory_, use);
}

void Session::load_config() {
  std::optional<fs::path> file = request_.config;
  std::error_code error;
  if (!file && !run_directory_.empty() && fs::exists(run_directory_ / kRunFile, error)) {
    file = run_directory_ / kRunFile;  // a run that is resumed or evaluated
  }
  config_ = read_run_config(file, request_.assignments);
  const std::string configured = config_.parameters.get<std::string>("run_dir");
  if (run_directory_.empty()) run_directory_ = without_trailing_separator(configured);
}

void Session::make_parts() {
  // Small models are faster on one thread.
  at::set_num_threads(request_.threads > 0 ? request_.threads : 1);
  if (!config_.parameters.is_null("seed")) {
    at::manual_seed(static_cast<std::uint64_t>(config_.parameters.get<std::int64_t>("seed")));
  }
  data_ = make_data(config_.data(), "data");
  model_ = make_model(config_.model(), "model");
  std::vector<CallbackHandle> callbacks = make_callbacks();
  TrainerOptions options = make_trainer_options();
  if (claim_) {
    record_ = std::make_shared<RunRecord>(*claim_, config_.source, origin());
    callbacks.insert(callbacks.begin(), record_);
  }
  trainer_ = std::make_unique<Trainer>(std::move(options), std::move(callbacks));
  for (const UnmetOrder& unmet : unmet_orders(trainer_->callbacks(), selection_)) {
    log_warning(
        "plugin {} {}: plugins are called after the callbacks of run.json, and before those "
        "that write checkpoints; see --explain",
        quote(unmet.plugin), unmet.text);
  }
}

// A checkpoint that is in no run's directory may have been rescued from this run.
TrainingOrigin Session::origin() const {
  if (checkpoint_.empty()) return TrainingOrigin::anew;
  std::error_code error;
  const std::optional<fs::path> run = run_directory_of(checkpoint_);
  return !run || fs::equivalent(*run, run_directory_, error) ? TrainingOrigin::continued
                                                             : TrainingOrigin::anew;
}

std::vector<CallbackHandle> Session::make_callbacks() {
  CallbacksSection section = read_callbacks(config_.parameters.get<ConfigValue>("callbacks"),
                                            selection_, {.plugin_path = request_.plugin_path});
  std::vector<CallbackHandle> callbacks = std::move(section.built_in);
  if (request_.quiet) {  // regardless of the configured bar
    std::erase_if(callbacks, [](const CallbackHandle& handle) {
      return dynamic_cast<const ProgressBar*>(handle.callback.get()) != nullptr;
    });
  }
  check_names(callbacks);
  const Parameters trainer = config_.parameters.get<Parameters>("trainer");
  if (trainer.get<bool>("enable_checkpointing") && !trainer.get<bool>("barebones")) {
    keep_last_state(callbacks);
  }
  for (CallbackHandle& handle : bridge::make_plugin_callbacks(selection_, section.plugins)) {
    callbacks.push_back(std::move(handle));
  }
  return callbacks;
}

TrainerOptions Session::make_trainer_options() {
  const Parameters trainer = config_.parameters.get<Parameters>("trainer");
  TrainerOptions options = trainer_options(trainer);
  if (!options.seed && !config_.parameters.is_null("seed")) {
    options.seed = static_cast<std::uint64_t>(config_.parameters.get<std::int64_t>("seed"));
  }
  if (!options.checkpoint_saving) options.checkpoint_saving = CheckpointSaving::asynchronous;
  if (request_.profile) options.profiler = ProfilerKind::advanced;
  if (request_.quiet) {
    options.enable_progress_bar = false;
  } else if (!request_.explain &&
             (options.enable_progress_bar.value_or(true) || a_plugin_draws(selection_))) {
    options.progress = std::make_shared<TerminalSink>();
    RunLog::show(LogLevel::info, options.progress);
  }
  if (request_.explain || options.fast_dev_run != 0) return options;  // nothing is written
  const bool fit = request_.kind == RunKind::fit;
  const auto loggers = read_loggers(config_.parameters.get<ConfigValue>("loggers"));
  if (fit) claim_directory();
  if (options.default_root_dir.empty()) options.default_root_dir = run_directory_;
  if (!fit) return options;
  options.loggers = make_loggers(loggers, run_directory_);
  remove_stale_files(options.loggers);
  return options;
}

// What processes left here that were killed while they wrote. No other one writes here now.
void Session::remove_stale_files(const std::vector<std::shared_ptr<Logger>>& loggers) const {
  if (!claim_->is_exclusive()) return;
  std::vector<fs::path> directories = {run_directory_};
  for (const CheckpointPlace& place : checkpoint_places(run_directory_)) {
    directories.push_back(place.directory);
  }
  for (const auto& logger : loggers) {
    if (!logger->save_dir().empty()) {
      directories.push_back(logger->save_dir() / logger->name() / logger->version());
    }
  }
  for (const fs::path& directory : directories) {
    for (const fs::path& file : remove_stale_temporaries(directory)) {
      log_info("removed {}, which a process left that was ended while it wrote",
               quote(display_path(file)));
    }
  }
}

void Session::claim_directory() {
  if (run_directory_.empty()) {
    claim_.emplace(TrainingClaim::of_new_run(config_.name()));
    run_directory_ = claim_->directory();
  } else if (!claim_) {
    claim_.emplace(run_directory_);
  }
}

Session::~Session() {
  Signals::watch(nullptr);
}

void Session::run() {
  Signals::watch(trainer_.get());
  const bridge::ProcessStateClaim process;
  const CostsAtEnd costs{*trainer_};
  try {
    run_with_checkpoint();
  } catch (...) {  // an end, too, and no crash
    forget_crashes();
    throw;
  }
  forget_crashes();
  if (request_.kind != RunKind::fit) return;
  metrics_ = trainer_->callback_metrics();
  if (!had_nothing_to_do()) warn_of_nan(metrics_, model_.module->state_view());
  // A run of no epochs is one, too.
  if (record_ != nullptr && claim_->is_new()) record_->begin();
}

void Session::run_with_checkpoint() {
  const bool is_chosen = request_.checkpoint.empty() || is_in_a_run(request_.checkpoint);
  if (request_.kind == RunKind::fit || !is_chosen) return run_kind();
  bool again = false;
  const auto choose = [&] {
    if (std::exchange(again, true)) choose_checkpoint();
    return checkpoint_;
  };
  with_present_checkpoint(choose, [&] { run_kind(); });
}

void Session::run_kind() {
  RunOptions options{.ckpt_path = checkpoint_.string(), .verbose = false};
  switch (request_.kind) {
    case RunKind::fit:
      trainer_->fit(model_.ref(), data_.data, options);
      return;
    case RunKind::validate:
      metrics_ = merged(trainer_->validate(model_.ref(), data_.data, options));
      return;
    case RunKind::test:
      metrics_ = merged(trainer_->test(model_.ref(), data_.data, options));
      return;
    case RunKind::predict: {
      const fs::path file =
          request_.output.empty() ? run_directory_ / "predictions.csv" : request_.output;
      try {
        require_writable(file);
      } catch (const IoError& error) {
        if (!request_.output.empty()) throw;
        throw IoError("write to", file, error.error_number, "--output FILE writes them elsewhere");
      }
      write_predictions(file, trainer_->predict(model_.ref(), data_.data, options));
      predictions_file_ = file;
      return;
    }
    case RunKind::none:
      return;
  }
}

fs::path Session::run_directory() const {
  return claim_ && !claim_->stays() ? fs::path() : run_directory_;
}

fs::path Session::checkpoint() const {
  if (request_.kind != RunKind::fit) return checkpoint_;
  return record_ != nullptr ? record_->newest_checkpoint() : fs::path();
}

fs::path Session::best_checkpoint() const {
  if (request_.kind != RunKind::fit) return {};
  for (const CallbackHandle& handle : trainer_->callbacks()) {
    const auto* writer = dynamic_cast<const ModelCheckpoint*>(handle.callback.get());
    if (writer == nullptr || writer->options().monitor.empty()) continue;
    return writer->best_model_path();
  }
  return {};
}

bool Session::had_nothing_to_do() const {
  return record_ != nullptr && !checkpoint_.empty() && !record_->has_begun();
}

}  // namespace grapnel::program
