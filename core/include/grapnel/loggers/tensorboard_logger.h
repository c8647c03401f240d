// TensorBoard's event files: save_dir/name/version/events.out.tfevents.*, with scalars, the
// hyper-parameters for its HPARAMS tab, and on request texts and histograms.
//
// After Lightning's class of that name: every metric is a scalar, "epoch" among them. A resumed run
// writes a new file into the same directory, which makes TensorBoard drop what came after the
// checkpoint.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "grapnel/base/clock.h"
#include "grapnel/base/options_table.h"
#include "grapnel/export.h"
#include "grapnel/logger.h"
#include "grapnel/loggers/log_directory.h"

namespace grapnel {

class EventFile;

struct TensorBoardLoggerOptions {
  LogDirectoryOptions directory = {};
  std::string prefix = {};        // put before every metric's name, with a "-" between
  bool default_hp_metric = true;  // with hyper-parameters, a metric "hp_metric" of -1 at step 0
  const Clock* clock = nullptr;   // of the events' times; nullptr: the system's
};

class GRAPNEL_CORE_API TensorBoardLogger : public Logger {
 public:
  explicit TensorBoardLogger(TensorBoardLoggerOptions options = {});
  ~TensorBoardLogger() override;

  static const OptionsTable<TensorBoardLoggerOptions>& options_table();

  std::string name() const override { return directory_.name(); }
  std::string version() const override { return directory_.version(); }
  std::filesystem::path save_dir() const override { return directory_.save_dir(); }
  std::filesystem::path log_dir() const { return directory_.path(); }

  // All of these throw IoError when the file can't be written.
  void start() override;
  void log_metrics(const Metrics& metrics, int64_t step) override;
  // Nested settings become "a/b"; also kept in hparams.yaml.
  void log_hyperparams(const StateDict& hyper_parameters) override;
  // Markdown, for the TEXT tab.
  void log_text(std::string_view tag, std::string_view text, int64_t step);
  // values: any shape and type of number; those that aren't finite are left out.
  void log_histogram(std::string_view tag, const at::Tensor& values, int64_t step);
  void save() override;
  void finalize(const std::string& status) override;

  // {"format", "next_step"}: later steps are taken back when a run resumes from there.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  EventFile& file();
  double now() const;

  LogDirectory directory_;
  std::string prefix_;
  bool default_hp_metric_;
  const Clock& clock_;
  std::unique_ptr<EventFile> file_;  // from the first event on
  StateDict hyper_parameters_;
  int64_t next_step_ = 0;  // after the last one that was logged
  std::optional<int64_t> purge_step_;
  bool session_open_ = false;  // hyper-parameters were logged, and the end of the run not yet
};

}  // namespace grapnel
