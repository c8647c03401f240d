// One run of the program, from the command line to the results.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grapnel/data/registry.h>
#include <grapnel/host/selection.h>
#include <grapnel/models/registry.h>
#include <grapnel/run_state.h>
#include <grapnel/trainer.h>

#include "run_config.h"

namespace grapnel::program {

// The command line of fit, validate, test and predict.
struct RunRequest {
  RunKind kind = RunKind::fit;
  std::optional<std::filesystem::path> config;  // --config
  std::vector<std::string> assignments;         // --set
  std::vector<std::string> plugins;             // --plugin
  std::vector<std::string> no_plugins;          // --no-plugin
  std::vector<std::string> plugin_path;         // --plugin-path
  std::string checkpoint;                       // --ckpt
  std::filesystem::path run_directory;          // --run-dir
  std::filesystem::path output;                 // --output, of predict
  int threads = 0;                              // --threads; 0: chosen here
  bool json = false;
  bool quiet = false;
  bool explain = false;
  bool profile = false;
};

// Creates and checks everything the run needs, without running it.
class Session {
 public:
  // ConfigError, PluginError, CheckpointError, IoError: when the run cannot start.
  explicit Session(const RunRequest& request);

  // Runs; signals stop it in an orderly way. Passes on exceptions of the run.
  void run();

  const RunRequest& request() const { return request_; }
  Trainer& trainer() const { return *trainer_; }
  const MadeModel& model() const { return model_; }
  const host::PluginSelection& selection() const { return selection_; }
  const std::filesystem::path& run_directory() const { return run_directory_; }
  // The metrics of the run: callback metrics after fit, else the result of validate or test.
  const MetricDict& metrics() const { return metrics_; }
  // The checkpoint to remember: the best of a fit, else the newest, else the one that was loaded.
  std::filesystem::path checkpoint() const;
  // Of predict; empty otherwise.
  const std::filesystem::path& predictions_file() const { return predictions_file_; }

 private:
  void choose_directory();
  void load_config();
  void make_parts();
  std::vector<CallbackHandle> make_callbacks();
  TrainerOptions make_trainer_options();
  void record_config() const;
  void run_kind();

  RunRequest request_;
  std::filesystem::path run_directory_;  // empty until a fit without one begins
  std::filesystem::path checkpoint_;     // to load; empty: none
  RunConfig config_;
  host::PluginSelection selection_;
  MadeData data_;
  MadeModel model_;
  std::unique_ptr<Trainer> trainer_;
  MetricDict metrics_;
  std::filesystem::path predictions_file_;
};

}  // namespace grapnel::program
