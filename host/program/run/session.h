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
#include "run_record.h"
#include "training_claim.h"

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
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs; signals stop it in an orderly way. Passes on exceptions of the run.
  void run();

  const RunRequest& request() const { return request_; }
  Trainer& trainer() const { return *trainer_; }
  const MadeModel& model() const { return model_; }
  const host::PluginSelection& selection() const { return selection_; }
  // Empty when there is none, also because a new one goes with a fit that didn't begin.
  std::filesystem::path run_directory() const;
  // The metrics of the run: callback metrics after fit, else the result of validate or test.
  const MetricDict& metrics() const { return metrics_; }
  // Of a fit the checkpoint that it wrote last, else the one that was loaded; empty: none.
  std::filesystem::path checkpoint() const;
  // The best by the first ModelCheckpoint with a monitor; empty: none.
  std::filesystem::path best_checkpoint() const;
  // The checkpoint that was loaded; empty: none.
  const std::filesystem::path& loaded_checkpoint() const { return checkpoint_; }
  // A resumed fit had reached its end before.
  bool had_nothing_to_do() const;
  // Of predict; empty otherwise.
  const std::filesystem::path& predictions_file() const { return predictions_file_; }

 private:
  void tell_of_crashes() const;
  void forget_crashes() const;
  void choose_directory();
  void choose_checkpoint();
  void load_config();
  void make_parts();
  TrainingOrigin origin() const;
  std::vector<CallbackHandle> make_callbacks();
  TrainerOptions make_trainer_options();
  void claim_directory();
  void remove_stale_files(const std::vector<std::shared_ptr<Logger>>& loggers) const;
  void run_with_checkpoint();
  void run_kind();

  RunRequest request_;
  std::filesystem::path run_directory_;  // empty until a fit without one begins
  std::filesystem::path checkpoint_;     // to load; empty: none
  RunConfig config_;
  host::PluginSelection selection_;
  MadeData data_;
  MadeModel model_;
  std::optional<TrainingClaim> claim_;  // of a fit that writes; outlives the trainer
  std::shared_ptr<RunRecord> record_;   // where there is a claim
  std::unique_ptr<Trainer> trainer_;
  MetricDict metrics_;
  std::filesystem::path predictions_file_;
};

}  // namespace grapnel::program
