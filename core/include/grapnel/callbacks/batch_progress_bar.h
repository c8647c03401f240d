// The base of the two progress bars: one bar for training, one for whatever is evaluated, a new one
// per data loader.
//
// It says what is shown; how it looks is the ProgressSink's business. Metrics are fetched from
// their device only when the sink is about to draw, so a step costs next to nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "grapnel/callbacks/progress_bar.h"
#include "grapnel/export.h"

namespace grapnel {

class GRAPNEL_CORE_API BatchProgressBar : public ProgressBar {
 public:
  void on_sanity_check_start(Event& event) override;
  void on_sanity_check_end(Event& event) override;
  void on_train_start(Event& event) override;
  void on_train_epoch_start(Event& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_train_epoch_end(Event& event) override;
  void on_train_end(Event& event) override;
  void on_validation_start(Event& event) override;
  void on_validation_batch_start(EvalBatchStart& event) override;
  void on_validation_batch_end(EvalBatchEnd& event) override;
  void on_validation_end(Event& event) override;
  void on_test_start(Event& event) override;
  void on_test_batch_start(EvalBatchStart& event) override;
  void on_test_batch_end(EvalBatchEnd& event) override;
  void on_test_end(Event& event) override;
  void on_predict_start(Event& event) override;
  void on_predict_batch_start(EvalBatchStart& event) override;
  void on_predict_batch_end(EvalBatchEnd& event) override;
  void on_predict_end(Event& event) override;
  // However the run ended: no bar outlives it.
  void on_run_end(RunEnd& event) override;
  HookMask wanted(const HookMask& overridden) const override;

 protected:
  struct Settings {
    int64_t refresh_batches = 1;  // between two updates
    bool disabled = false;        // show nothing
    int first_line = 0;           // of the screen
    bool leave = false;           // a bar of its own for every epoch, which stays
    std::optional<BarTheme> theme = {};
    std::optional<double> drawings_per_second = {};
  };
  explicit BatchProgressBar(Settings settings);

  // What the training's bar is called during an epoch.
  virtual std::string epoch_description(const Trainer& trainer) const;

 private:
  struct Shown {
    std::unique_ptr<Bar> bar;  // nullptr: nowhere to draw
    std::optional<int64_t> total;
    bool disabled = true;

    void begin(std::optional<int64_t> batches, const std::string& description);
    bool advance(int64_t n, int64_t refresh_batches);
    void close();
  };
  Shown make(const std::string& description, int line, bool leave) const;

  Settings settings_;
  Shown train_;
  Shown eval_;  // validation, test or prediction: never two at a time
};

}  // namespace grapnel
