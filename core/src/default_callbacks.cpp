// The callbacks that a Trainer adds by itself: ModelCheckpoint, Timer for max_time.
#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/callbacks/timer.h"
#include "run.h"

namespace grapnel {

namespace {

template <class T>
const CallbackHandle* find(const std::vector<CallbackHandle>& callbacks) {
  const auto found = std::find_if(callbacks.begin(), callbacks.end(), [](const auto& handle) {
    return dynamic_cast<const T*>(handle.callback.get()) != nullptr;
  });
  return found == callbacks.end() ? nullptr : &*found;
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
  if (options.max_time.empty()) return;
  if (find<Timer>(callbacks) != nullptr) {
    log_info("max_time is ignored: there is a Timer among the callbacks already");
    return;
  }
  const auto seconds = parse_duration(options.max_time);
  if (!seconds.has_value()) {
    throw ConfigError(
        {}, "max_time='" + options.max_time + "' is not a duration; write DD:HH:MM:SS", "max_time");
  }
  callbacks.emplace_back(
      std::make_shared<Timer>(TimerOptions{.duration = static_cast<double>(*seconds)}),
      CallbackOrigin::trainer_default);
}

}  // namespace grapnel
