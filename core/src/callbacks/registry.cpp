#include "grapnel/callbacks/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/gradient_accumulation_scheduler.h"
#include "grapnel/callbacks/learning_rate_monitor.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/callbacks/on_exception_checkpoint.h"
#include "grapnel/callbacks/timer.h"
#include "grapnel/callbacks/tqdm_progress_bar.h"

namespace grapnel {

namespace {

template <class T>
CallbackHandle make(const Parameters& parameters) {
  return T::from(parameters);
}

template <class T>
constexpr CallbackEntry row() {
  return {&T::parameters, &make<T>};
}

// In the order of the names.
constexpr CallbackEntry kCallbacks[] = {
    row<EarlyStopping>(),   row<GradientAccumulationScheduler>(), row<LearningRateMonitor>(),
    row<ModelCheckpoint>(), row<OnExceptionCheckpoint>(),         row<Timer>(),
    row<TQDMProgressBar>(),
};

// "EarlyStopping" and "early_stopping" -> "earlystopping"
std::string folded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

}  // namespace

std::span<const CallbackEntry> callback_registry() {
  return kCallbacks;
}

const CallbackEntry* find_callback_entry(std::string_view name) {
  const std::string wanted = folded(name);
  const auto* found =
      std::find_if(std::begin(kCallbacks), std::end(kCallbacks),
                   [&](const CallbackEntry& entry) { return folded(entry.name()) == wanted; });
  return found == std::end(kCallbacks) ? nullptr : found;
}

CallbackHandle make_callback(std::string_view name, const ConfigValue& config,
                             std::string_view context) {
  const CallbackEntry* entry = find_callback_entry(name);
  if (entry == nullptr) {
    std::vector<std::string> names;
    for (const CallbackEntry& known : kCallbacks) names.push_back(known.name());
    const std::string candidate = nearest(name, names).value_or("");
    throw config.error(
        fmt::format("there is no built-in callback named {}{}; known are {}", quote(name),
                    candidate.empty() ? "" : "; did you mean " + quote(candidate) + "?",
                    join_quoted(names, "and")),
        std::string(context), candidate);
  }
  const Parameters parameters = entry->parameters().validate(config, context);
  try {
    return entry->make(parameters);
  } catch (const ConfigError& error) {
    if (error.line > 0) throw;
    throw config.error(error.what(), fmt::format("{}.{}", context, error.key));
  }
}

}  // namespace grapnel
