// Progress bars for training, validation, test and prediction, as Lightning's class of that name
// shows them: "Epoch 3:  67%|██████▋   | 200/300 [00:07<00:03, 28.1it/s, v_num=0, loss=0.123]".
//
// It says what is shown; how it looks is the ProgressSink's business. Metrics are fetched from
// their device only when the sink is about to draw, so a step costs next to nothing.
#pragma once

#include <cstdint>
#include <memory>

#include "grapnel/base/parameters.h"
#include "grapnel/callbacks/progress_bar.h"
#include "grapnel/export.h"

namespace grapnel {

struct TQDMProgressBarOptions {
  int64_t refresh_rate = 1;      // batches between two updates; 0: show nothing
  int64_t process_position = 0;  // start this many pairs of lines further down
  bool leave = false;            // a bar of its own for every epoch, which stays
};

class GRAPNEL_CORE_API TQDMProgressBar : public ProgressBar {
 public:
  // Throws ConfigError when refresh_rate or process_position is negative.
  explicit TQDMProgressBar(TQDMProgressBarOptions options = {});

  static const ParameterTable& parameters();
  static std::shared_ptr<TQDMProgressBar> from(const Parameters& parameters);

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

 private:
  struct Shown {
    std::unique_ptr<Bar> bar;  // nullptr: nowhere to draw
    std::optional<int64_t> total;
    bool disabled = true;

    void begin(std::optional<int64_t> batches, const std::string& description);
    bool advance(int64_t n, int64_t refresh_rate);
    void close();
  };
  Shown make(const std::string& description, int line, bool leave) const;

  TQDMProgressBarOptions options_;
  Shown train_;
  Shown eval_;  // validation, test or prediction: never two at a time
};

}  // namespace grapnel
