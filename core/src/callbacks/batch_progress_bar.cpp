#include "grapnel/callbacks/batch_progress_bar.h"

#include <fmt/format.h>

#include <utility>

#include "grapnel/trainer.h"

namespace grapnel {

BatchProgressBar::BatchProgressBar(Settings settings) : settings_(std::move(settings)) {}

std::string BatchProgressBar::epoch_description(const Trainer& trainer) const {
  return fmt::format("Epoch {}", trainer.current_epoch());
}

HookMask BatchProgressBar::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  if (!settings_.disabled) return mask;
  for (const Hook hook :
       {Hook::on_train_batch_end, Hook::on_validation_batch_start, Hook::on_validation_batch_end,
        Hook::on_test_batch_start, Hook::on_test_batch_end, Hook::on_predict_batch_start,
        Hook::on_predict_batch_end}) {
    mask.set(hook, false);
  }
  return mask;
}

void BatchProgressBar::Shown::begin(std::optional<int64_t> batches,
                                    const std::string& description) {
  total = batches;
  if (disabled) return;
  bar->reset();
  bar->set_total(total);
  bar->set_description(description);
}

bool BatchProgressBar::Shown::advance(int64_t n, int64_t refresh_batches) {
  return !disabled && (n % refresh_batches == 0 || n == total) && bar->set_n(n);
}

void BatchProgressBar::Shown::close() {
  if (bar != nullptr) bar->close();
}

BatchProgressBar::Shown BatchProgressBar::make(const std::string& description, int line,
                                               bool leave) const {
  Shown shown;
  if (sink() == nullptr) return shown;
  shown.disabled = settings_.disabled;
  shown.bar = sink()->make_bar({.description = description,
                                .position = settings_.first_line + line,
                                .leave = leave,
                                .disable = shown.disabled,
                                .theme = settings_.theme,
                                .drawings_per_second = settings_.drawings_per_second});
  return shown;
}

void BatchProgressBar::on_sanity_check_start(Event&) {
  eval_ = make(sanity_check_description(), 0, false);
  // Stands in for the training's bar, so that what is sent there before the training goes nowhere.
  train_ = {};
  if (sink() != nullptr)
    train_.bar = sink()->make_bar(BarOptions{.description = "", .disable = true});
}

void BatchProgressBar::on_sanity_check_end(Event&) {
  eval_.close();
  train_.close();
}

void BatchProgressBar::on_train_start(Event&) {
  train_ = make(train_description(), 0, true);
}

void BatchProgressBar::on_train_epoch_start(Event& event) {
  if (settings_.leave) train_ = make(train_description(), 0, true);
  train_.begin(total_train_batches(event.trainer), epoch_description(event.trainer));
}

void BatchProgressBar::on_train_batch_end(TrainBatchEnd& event) {
  if (train_.advance(event.batch_idx + 1, settings_.refresh_batches)) {
    train_.bar->set_postfix(get_metrics(event.trainer));
  }
}

void BatchProgressBar::on_train_epoch_end(Event& event) {
  if (!train_.disabled) train_.bar->set_postfix(get_metrics(event.trainer));
  if (settings_.leave) train_.close();
}

void BatchProgressBar::on_train_end(Event&) {
  train_.close();
}

void BatchProgressBar::on_validation_start(Event& event) {
  if (event.trainer.sanity_checking()) return;
  const bool below_training = event.trainer.state().kind != RunKind::validate;
  eval_ = make(validation_description(), below_training ? 1 : 0, !below_training);
}

void BatchProgressBar::on_validation_batch_start(EvalBatchStart& event) {
  if (!dataloader_changed(event.dataloader_idx)) return;
  const bool sanity = event.trainer.sanity_checking();
  eval_.begin(total_val_batches(event.trainer),
              fmt::format("{} DataLoader {}",
                          sanity ? sanity_check_description() : validation_description(),
                          event.dataloader_idx));
}

void BatchProgressBar::on_validation_batch_end(EvalBatchEnd& event) {
  eval_.advance(event.batch_idx + 1, settings_.refresh_batches);
}

void BatchProgressBar::on_validation_end(Event& event) {
  eval_.close();
  forget_dataloader();
  if (event.trainer.state().kind == RunKind::fit && !train_.disabled) {
    train_.bar->set_postfix(get_metrics(event.trainer));
  }
}

void BatchProgressBar::on_test_start(Event&) {
  eval_ = make(test_description(), 0, true);
}

void BatchProgressBar::on_test_batch_start(EvalBatchStart& event) {
  if (!dataloader_changed(event.dataloader_idx)) return;
  eval_.begin(total_test_batches(event.trainer),
              fmt::format("{} DataLoader {}", test_description(), event.dataloader_idx));
}

void BatchProgressBar::on_test_batch_end(EvalBatchEnd& event) {
  eval_.advance(event.batch_idx + 1, settings_.refresh_batches);
}

void BatchProgressBar::on_test_end(Event&) {
  eval_.close();
  forget_dataloader();
}

void BatchProgressBar::on_predict_start(Event&) {
  eval_ = make(predict_description(), 0, true);
}

void BatchProgressBar::on_predict_batch_start(EvalBatchStart& event) {
  if (!dataloader_changed(event.dataloader_idx)) return;
  eval_.begin(total_predict_batches(event.trainer),
              fmt::format("{} DataLoader {}", predict_description(), event.dataloader_idx));
}

void BatchProgressBar::on_predict_batch_end(EvalBatchEnd& event) {
  eval_.advance(event.batch_idx + 1, settings_.refresh_batches);
}

void BatchProgressBar::on_predict_end(Event&) {
  eval_.close();
  forget_dataloader();
}

void BatchProgressBar::on_run_end(RunEnd&) {
  train_ = {};
  eval_ = {};
  forget_dataloader();
}

}  // namespace grapnel
