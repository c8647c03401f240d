// data_wait_monitor: logs the share of the training time that the model waits for data.
//
//   data_wait_share   time between batches / total time of the steps since the last value; 0 to 1,
//                     with the loggers
//
// data_wait.h defines waiting; validations and checkpoints are left out. Callbacks that run after
// this one at the end of a batch, or before it at the start of one, count as waiting, as does the
// copy of the batch to its device. On an asynchronous device (CUDA) a batch ends when its work is
// queued, so the share is an upper bound.
//
// One line per epoch, and a warning with advice when an epoch's share exceeds warn_above: once, and
// again when an epoch is 1.5 times as bad.
#include <chrono>
#include <cstdint>
#include <string>

#include <grapnel/plugin.hpp>

#include "data_wait.h"

namespace {

using namespace grapnel::plugin;
using data_wait::Times;

constexpr std::int64_t enough_batches = 5;  // for a warning: fewer are ruled by the first

double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

std::string percent(double share) {
  return std::to_string(static_cast<int>(share * 100 + 0.5)) + "%";
}

// "1.234 s"
std::string in_seconds(double seconds) {
  const auto milliseconds = static_cast<std::int64_t>(seconds * 1000 + 0.5);
  std::string fraction = std::to_string(milliseconds % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  return std::to_string(milliseconds / 1000) + "." + fraction + " s";
}

class DataWaitMonitor final : public Callback {
 public:
  explicit DataWaitMonitor(const Params& params)
      : warn_above_(params.get("warn_above", 0.25)), summary_(params.get("epoch_summary", true)) {}

  void setup(StageEvent& event) override {
    if (event.run_kind() != RunKind::fit || event.global_step() > 0) return;
    total_wait_ = total_work_ = warned_at_ = 0;  // of another training
  }

  void on_train_epoch_start(Event&) override { wait_.epoch_start(now()); }
  void on_train_batch_start(TrainBatchStart&) override { wait_.batch_start(now()); }
  void on_train_batch_end(TrainBatchEnd& event) override {
    wait_.batch_end(now(), event.batch_idx());
    if (!event.is_logging_step()) return;
    const Times recent = wait_.take_recent();
    if (recent.batches == 0) return;
    LogOptions options;
    options.on_step = true;
    event.log("data_wait_share", recent.share(), options);
  }

  void on_validation_start(Event&) override { wait_.pause_start(now()); }
  void on_validation_end(Event&) override { wait_.pause_end(now()); }
  void on_save_checkpoint(SaveCheckpoint&) override { wait_.pause_start(now()); }
  void on_checkpoint_written(CheckpointWritten&) override { wait_.pause_end(now()); }

  void on_train_epoch_end(Event& event) override {
    const Times epoch = wait_.take_epoch();
    if (epoch.batches == 0) return;
    total_wait_ += epoch.wait;
    total_work_ += epoch.work;
    const double share = epoch.share();
    std::string text = "epoch " + std::to_string(event.current_epoch()) +
                       ": the model waited for data " + percent(share) + " of the time, " +
                       in_seconds(epoch.wait) + " of " + in_seconds(epoch.wait + epoch.work) +
                       "; longest before batch " + std::to_string(epoch.longest_wait_batch) + ", " +
                       in_seconds(epoch.longest_wait);
    if (share > warn_above_ && share > warned_at_ * 1.5 && epoch.batches >= enough_batches) {
      warned_at_ = share;
      event.log_warning(text +
                        "; read ahead in a thread, keep prepared samples instead of "
                        "preparing them again each epoch, or use larger batches");
    } else if (summary_) {
      event.log_info(text);
    }
  }

  void on_train_end(Event& event) override {
    if (!summary_ || total_wait_ + total_work_ <= 0) return;
    event.log_info("during the whole training, the model waited for data " +
                   percent(total_wait_ / (total_wait_ + total_work_)) + " of the time, " +
                   in_seconds(total_wait_));
  }

  void save_state(StateWriter& state) const override {
    state.put("total_wait_seconds", total_wait_);
    state.put("total_work_seconds", total_work_);
    state.put("warned_at", warned_at_);
  }
  void load_state(const StateReader& state) override {
    const auto wait = state.get<double>("total_wait_seconds");
    const auto work = state.get<double>("total_work_seconds");
    const auto warned_at = state.get<double>("warned_at");
    total_wait_ = wait;
    total_work_ = work;
    warned_at_ = warned_at;
  }

 private:
  double warn_above_;  // share of an epoch's time
  bool summary_;
  data_wait::DataWait wait_;
  double total_wait_ = 0;  // seconds, of whole epochs, before a resume too
  double total_work_ = 0;
  double warned_at_ = 0;  // share; 0: not yet
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<DataWaitMonitor>("data_wait_monitor"))
