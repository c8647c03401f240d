// The callbacks that a Trainer adds by itself: ModelCheckpoint, Timer for max_time, a progress bar,
// a summary of the model.
#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/callbacks/model_summary.h"
#include "grapnel/callbacks/progress_bar.h"
#include "grapnel/callbacks/registry.h"
#include "grapnel/callbacks/timer.h"
#include "grapnel/callbacks/tqdm_progress_bar.h"
#include "run/standard_callbacks.h"

namespace grapnel {

namespace {

template <class T>
const CallbackHandle* find(const std::vector<CallbackHandle>& callbacks) {
  const auto found = std::find_if(callbacks.begin(), callbacks.end(), [](const auto& handle) {
    return dynamic_cast<const T*>(handle.callback.get()) != nullptr;
  });
  return found == callbacks.end() ? nullptr : &*found;
}

void add_timer(const std::string& max_time, std::vector<CallbackHandle>& callbacks) {
  if (max_time.empty()) return;
  if (find<Timer>(callbacks) != nullptr) {
    log_info("max_time is ignored: there is a Timer among the callbacks already");
    return;
  }
  const auto seconds = parse_duration(max_time);
  if (!seconds.has_value()) {
    throw ConfigError({}, "max_time='" + max_time + "' is not a duration; write DD:HH:MM:SS",
                      "max_time");
  }
  callbacks.emplace_back(
      std::make_shared<Timer>(TimerOptions{.duration = static_cast<double>(*seconds)}),
      CallbackOrigin::trainer_default);
}

void add_progress_bar(const TrainerOptions& options, std::vector<CallbackHandle>& callbacks) {
  std::vector<std::string> bars;
  for (const CallbackHandle& handle : callbacks) {
    if (dynamic_cast<const ProgressBar*>(handle.callback.get()) != nullptr) {
      bars.push_back(handle.callback->type_name());
    }
  }
  if (bars.size() > 1) {
    throw ConfigError({}, "there are several progress bars among the callbacks (" + join(bars) +
                              "); keep one of them");
  }
  const bool enabled = options.enable_progress_bar.value_or(!options.barebones);
  if (!bars.empty() && !enabled) {
    throw ConfigError({},
                      "enable_progress_bar=false, but there is a " + bars.front() +
                          " among the callbacks; leave out one of them",
                      "enable_progress_bar");
  }
  if (bars.empty() && enabled && options.progress != nullptr) {
    callbacks.emplace_back(std::make_shared<TQDMProgressBar>(), CallbackOrigin::trainer_default);
  }
}

}  // namespace

void add_default_callbacks(const TrainerOptions& options, std::vector<CallbackHandle>& callbacks) {
  const CallbackHandle* checkpoint = find<Checkpoint>(callbacks);
  const bool checkpointing = options.enable_checkpointing.value_or(!options.barebones);
  if (checkpoint != nullptr && !checkpointing) {
    throw ConfigError({},
                      "enable_checkpointing=false, but there is a " +
                          checkpoint->callback->type_name() +
                          " among the callbacks; leave out one of them",
                      "enable_checkpointing");
  }
  if (checkpoint == nullptr && checkpointing) {
    callbacks.emplace_back(std::make_shared<ModelCheckpoint>(), CallbackOrigin::trainer_default);
  }
  add_timer(options.max_time, callbacks);
  add_progress_bar(options, callbacks);
  const bool summary = options.enable_model_summary.value_or(!options.barebones);
  if (summary && find<ModelSummary>(callbacks) == nullptr) {
    callbacks.emplace_back(std::make_shared<ModelSummary>(), CallbackOrigin::trainer_default);
  }
}

bool is_built_in_callback(const Callback& callback) {
  return is_built_in(callback);
}

bool logs_only_declared_metrics(const Callback& callback) {
  return is_built_in(callback);
}

bool renews_stop(const Callback& callback) {
  return dynamic_cast<const EarlyStopping*>(&callback) != nullptr ||
         dynamic_cast<const Timer*>(&callback) != nullptr;
}

}  // namespace grapnel
