// The base of callbacks that show progress: what the bars are called, how long they are, which
// metrics are shown next to them. A trainer has at most one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/progress.h"

namespace grapnel {

class GRAPNEL_CORE_API ProgressBar : public Callback {
 public:
  ~ProgressBar() override;

  void setup(StageEvent& event) override;
  bool shows_progress() const override { return true; }

  // A line of text above the bars; dropped when there is no sink.
  virtual void print(std::string_view line);

  // The metrics logged with prog_bar, after "v_num", the logger's version, when there is a logger.
  virtual Postfix get_metrics(const Trainer& trainer);

 protected:
  std::string sanity_check_description() const { return "Sanity Checking"; }
  std::string train_description() const { return "Training"; }
  std::string validation_description() const { return "Validation"; }
  std::string test_description() const { return "Testing"; }
  std::string predict_description() const { return "Predicting"; }

  // Batches of the running epoch, or of the running data loader; nothing when that is unknown.
  std::optional<std::int64_t> total_train_batches(const Trainer& trainer) const;
  std::optional<std::int64_t> total_val_batches(const Trainer& trainer) const;
  std::optional<std::int64_t> total_test_batches(const Trainer& trainer) const;
  std::optional<std::int64_t> total_predict_batches(const Trainer& trainer) const;

  // Notes the running data loader; true when it is another one than before.
  bool dataloader_changed(std::int64_t index);
  void forget_dataloader() { dataloader_.reset(); }

  // Where to draw; nullptr: nowhere.
  const std::shared_ptr<ProgressSink>& sink() const { return sink_; }

 private:
  std::shared_ptr<ProgressSink> sink_;
  std::optional<std::int64_t> dataloader_;
  bool warned_clash_ = false;
};

}  // namespace grapnel
