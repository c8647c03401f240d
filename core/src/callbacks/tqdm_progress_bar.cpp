#include "grapnel/callbacks/tqdm_progress_bar.h"

#include <fmt/format.h>

#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/trainer.h"

namespace grapnel {

TQDMProgressBar::TQDMProgressBar(TQDMProgressBarOptions options) : options_(options) {
  const auto require = [](const char* name, int64_t value) {
    if (value >= 0) return;
    throw ConfigError(
        {}, fmt::format("TQDMProgressBar: {} is {}; accepted are 0 and more", name, value), name);
  };
  require("refresh_rate", options_.refresh_rate);
  require("process_position", options_.process_position);
}

const ParameterTable& TQDMProgressBar::parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "tqdm_progress_bar", "Shows progress bars with metrics.",
      {integer("refresh_rate", 1)
           .at_least(0)
           .unit("batches")
           .doc("Batches between two updates; 0: show nothing."),
       integer("process_position", 0)
           .at_least(0)
           .doc("Start this many pairs of lines further down."),
       boolean("leave", false).doc("A bar of its own for every epoch, which stays.")});
  return table;
}

std::shared_ptr<TQDMProgressBar> TQDMProgressBar::from(const Parameters& p) {
  return std::make_shared<TQDMProgressBar>(
      TQDMProgressBarOptions{.refresh_rate = p.get<int64_t>("refresh_rate"),
                             .process_position = p.get<int64_t>("process_position"),
                             .leave = p.get<bool>("leave")});
}

HookMask TQDMProgressBar::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  if (options_.refresh_rate > 0) return mask;
  for (const Hook hook :
       {Hook::on_train_batch_end, Hook::on_validation_batch_start, Hook::on_validation_batch_end,
        Hook::on_test_batch_start, Hook::on_test_batch_end, Hook::on_predict_batch_start,
        Hook::on_predict_batch_end}) {
    mask.set(hook, false);
  }
  return mask;
}

void TQDMProgressBar::Shown::begin(std::optional<int64_t> batches, const std::string& description) {
  total = batches;
  if (disabled) return;
  bar->reset();
  bar->set_total(total);
  bar->set_description(description);
}

bool TQDMProgressBar::Shown::advance(int64_t n, int64_t refresh_rate) {
  return !disabled && (n % refresh_rate == 0 || n == total) && bar->set_n(n);
}

void TQDMProgressBar::Shown::close() {
  if (bar != nullptr) bar->close();
}

TQDMProgressBar::Shown TQDMProgressBar::make(const std::string& description, int line,
                                             bool leave) const {
  Shown shown;
  if (sink() == nullptr) return shown;
  shown.disabled = options_.refresh_rate == 0;
  shown.bar = sink()->make_bar({.description = description,
                                .position = static_cast<int>(2 * options_.process_position) + line,
                                .leave = leave,
                                .disable = shown.disabled});
  return shown;
}

void TQDMProgressBar::on_sanity_check_start(Event&) {
  eval_ = make(sanity_check_description(), 0, false);
  // Stands in for the training's bar, so that what is sent there before the training goes nowhere.
  train_ = {};
  if (sink() != nullptr)
    train_.bar = sink()->make_bar(BarOptions{.description = "", .disable = true});
}

void TQDMProgressBar::on_sanity_check_end(Event&) {
  eval_.close();
  train_.close();
}

void TQDMProgressBar::on_train_start(Event&) {
  train_ = make(train_description(), 0, true);
}

void TQDMProgressBar::on_train_epoch_start(Event& event) {
  if (options_.leave) train_ = make(train_description(), 0, true);
  train_.begin(total_train_batches(event.trainer),
               fmt::format("Epoch {}", event.trainer.current_epoch()));
}

void TQDMProgressBar::on_train_batch_end(TrainBatchEnd& event) {
  if (train_.advance(event.batch_idx + 1, options_.refresh_rate)) {
    train_.bar->set_postfix(get_metrics(event.trainer));
  }
}

void TQDMProgressBar::on_train_epoch_end(Event& event) {
  if (!train_.disabled) train_.bar->set_postfix(get_metrics(event.trainer));
  if (options_.leave) train_.close();
}

void TQDMProgressBar::on_train_end(Event&) {
  train_.close();
}

void TQDMProgressBar::on_validation_start(Event& event) {
  if (event.trainer.sanity_checking()) return;
  const bool below_training = event.trainer.state().kind != RunKind::validate;
  eval_ = make(validation_description(), below_training ? 1 : 0, !below_training);
}

void TQDMProgressBar::on_validation_batch_start(EvalBatchStart& event) {
  if (!dataloader_changed(event.dataloader_idx)) return;
  const bool sanity = event.trainer.sanity_checking();
  eval_.begin(total_val_batches(event.trainer),
              fmt::format("{} DataLoader {}",
                          sanity ? sanity_check_description() : validation_description(),
                          event.dataloader_idx));
}

void TQDMProgressBar::on_validation_batch_end(EvalBatchEnd& event) {
  eval_.advance(event.batch_idx + 1, options_.refresh_rate);
}

void TQDMProgressBar::on_validation_end(Event& event) {
  eval_.close();
  forget_dataloader();
  if (event.trainer.state().kind == RunKind::fit && !train_.disabled) {
    train_.bar->set_postfix(get_metrics(event.trainer));
  }
}

void TQDMProgressBar::on_test_start(Event&) {
  eval_ = make(test_description(), 0, true);
}

void TQDMProgressBar::on_test_batch_start(EvalBatchStart& event) {
  if (!dataloader_changed(event.dataloader_idx)) return;
  eval_.begin(total_test_batches(event.trainer),
              fmt::format("{} DataLoader {}", test_description(), event.dataloader_idx));
}

void TQDMProgressBar::on_test_batch_end(EvalBatchEnd& event) {
  eval_.advance(event.batch_idx + 1, options_.refresh_rate);
}

void TQDMProgressBar::on_test_end(Event&) {
  eval_.close();
  forget_dataloader();
}

void TQDMProgressBar::on_predict_start(Event&) {
  eval_ = make(predict_description(), 0, true);
}

void TQDMProgressBar::on_predict_batch_start(EvalBatchStart& event) {
  if (!dataloader_changed(event.dataloader_idx)) return;
  eval_.begin(total_predict_batches(event.trainer),
              fmt::format("{} DataLoader {}", predict_description(), event.dataloader_idx));
}

void TQDMProgressBar::on_predict_batch_end(EvalBatchEnd& event) {
  eval_.advance(event.batch_idx + 1, options_.refresh_rate);
}

void TQDMProgressBar::on_predict_end(Event&) {
  eval_.close();
  forget_dataloader();
}

void TQDMProgressBar::on_run_end(RunEnd&) {
  train_ = {};
  eval_ = {};
  forget_dataloader();
}

}  // namespace grapnel
