// TensorBoard's event files: save_dir/name/version/events.out.tfevents.*, with scalars, the
// hyper-parameters for its HPARAMS tab, and on request texts and histograms.
//
// After Lightning's class of that name: every metric is a scalar, "epoch" among them. A resumed run
// cuts off what came after its checkpoint, and writes a new file into the same directory, which
// makes a TensorBoard that is running forget it too. Files of a run that isn't continued are kept
// under names that TensorBoard doesn't read ("events-1.out").
//
// Events wait in memory until save() could write them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

  // All of these throw IoError when files can't be written.
  void start() override;
  void log_metrics(const Metrics& metrics, int64_t step) override;
  // Nested settings become "a/b"; also kept in hparams.yaml. The event file has them from the first
  // event on; settings that it has already are not written again.
  void log_hyperparams(const StateDict& hyper_parameters) override;
  // Markdown, for the TEXT tab.
  void log_text(std::string_view tag, std::string_view text, int64_t step);
  // values: any shape and type of number; those that aren't finite are left out.
  void log_histogram(std::string_view tag, const at::Tensor& values, int64_t step);
  void save() override;
  void finalize(const std::string& status) override;

  // {"format", "next_step", "files": [[name, bytes], ...], "session"}: what a run that resumes
  // there keeps of the directory's files.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  EventFile& file();
  void settle_directory();
  void move_aside(const std::string& name) const;
  void begin_session();
  std::string tag_of(const std::string& metric) const;
  double now() const;

  LogDirectory directory_;
  std::string prefix_;
  bool default_hp_metric_;
  const Clock& clock_;
  std::unique_ptr<EventFile> file_;  // from the first event on
  bool save_failed_ = false;
  StateDict hyper_parameters_;
  int64_t next_step_ = 0;  // after the last one that was logged
  std::optional<int64_t> purge_step_;
  // Earlier files of the run that is continued, with the bytes that count.
  std::vector<std::pair<std::string, int64_t>> history_;
  bool history_is_known_ = true;  // not in states of earlier builds
  std::string session_;           // digest of the settings that the files have; empty: none
  bool session_pending_ = false;  // hyper-parameters are to be written before the next event
  bool session_open_ = false;     // and the end of the run not yet
};

}  // namespace grapnel
