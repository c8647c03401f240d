// compact_progress: one line below everything else on the terminal,
//
//   fit  epoch 3/10  [=======>        ]  120/300  train_loss 0.213  val_acc 0.94
//
// and, above it, a line for each checkpoint that is complete. The number of batches of an evaluation is
// known from the one before; without it the bar is left out. In a log file or with --quiet nothing is
// drawn. Metrics that don't fit into the width are left out whole.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/plugin.hpp>

namespace {

using namespace grapnel::plugin;

class CompactProgress final : public Callback {
 public:
  explicit CompactProgress(const Params& params)
      : metrics_(params.find<std::vector<std::string>>("metrics")),
        width_(static_cast<std::size_t>(params.get("width", 24))),
        style_(params.get("style", "")) {}

  void init(Services& services) override {
    offered_ = services.has_extension(GRAPNEL_EXT_TERMINAL);
  }

  void on_train_batch_end(TrainBatchEnd& event) override {
    show(event, "fit", event.batch_idx() + 1, event.num_training_batches());
  }
  void on_validation_start(Event&) override { batches_ = 0; }
  void on_validation_batch_end(EvalBatchEnd& event) override {
    show(event, event.sanity_checking() ? "sanity check" : "validate", ++batches_, known_);
  }
  void on_validation_end(Event& event) override {
    if (!event.sanity_checking()) known_ = batches_;
  }
  void on_test_batch_end(EvalBatchEnd& event) override { show(event, "test", ++batches_, {}); }
  void on_predict_batch_end(EvalBatchEnd& event) override {
    show(event, "predict", ++batches_, {});
  }

  void on_checkpoint_written(CheckpointWritten& event) override {
    if (!offered_ || !event.terminal()) return;
    event.print("saved " + std::string(event.path()));
  }
  void teardown(StageEvent& event) override {
    batches_ = 0;
    if (offered_) event.draw({});
  }
  void on_exception(ExceptionEvent& event) override {
    if (offered_) event.draw({});
  }

 private:
  void show(const Event& event, const char* what, std::int64_t done,
            std::optional<std::int64_t> total) {
    if (!offered_) return;
    const std::optional<Terminal> terminal = event.terminal();
    if (!terminal || !terminal->is_terminal) return;
    std::string line = what;
    if (event.run_kind() == RunKind::fit) {
      line += "  epoch " + std::to_string(event.current_epoch() + 1);
      if (const auto epochs = event.max_epochs()) line += "/" + std::to_string(*epochs);
    }
    if (total && *total > 0) {
      const std::size_t full = width_ * static_cast<std::size_t>(std::min(done, *total)) /
                               static_cast<std::size_t>(*total);
      line += "  [" + std::string(full, '=') + (full < width_ ? ">" : "") +
              std::string(full < width_ ? width_ - full - 1 : 0, ' ') + "]  " +
              std::to_string(done) + "/" + std::to_string(*total);
    } else {
      line += "  batch " + std::to_string(done);
    }
    for (const std::string& name : metrics_ ? *metrics_ : event.metric_names()) {
      const auto metric = event.metric(name);
      if (!metric) continue;
      char number[32];
      std::snprintf(number, sizeof number, "%.4g", metric->value);
      const std::string next = "  " + name + " " + number;
      if (line.size() + next.size() <= static_cast<std::size_t>(terminal->columns)) line += next;
    }
    event.draw({{std::move(line), style_}});
  }

  std::optional<std::vector<std::string>> metrics_;
  std::size_t width_;
  std::string style_;
  bool offered_ = false;
  std::int64_t batches_ = 0;           // of the running evaluation
  std::optional<std::int64_t> known_;  // batches of a validation
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<CompactProgress>("compact_progress"))
