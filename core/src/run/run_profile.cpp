// What a run spent its time on: gathered from the dispatcher, or from the profiler while one is set.
#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/run.h"

namespace grapnel {

void Run::start_profile() {
  hooks.set_clock(*clock);
  hooks.reset_counts();
  profiler.reset();
  if (options.profiler != ProfilerKind::none) {
    profiler = std::make_unique<Profiler>(*clock, options.profiler == ProfilerKind::advanced);
  }
  hooks.set_profiler(profiler.get());
  run_started_ = clock->now();
  running_ = true;
}

Profile Run::profile() const {
  Profile result;
  result.run_seconds = running_ ? clock->now() - run_started_ : run_seconds_;
  result.sampled = profiler == nullptr;
  if (profiler != nullptr) {
    result.rows = profiler->rows();
  } else {
    result.rows = hooks.counts();
  }
  std::stable_sort(
      result.rows.begin(), result.rows.end(),
      [](const ProfileRow& a, const ProfileRow& b) { return a.own_seconds > b.own_seconds; });
  return result;
}

void Run::report_profile() {
  run_seconds_ = clock->now() - run_started_;
  running_ = false;
  if (profiler == nullptr) return;
  log_info("{} took:\n{}", to_string(state.kind), profile().table());
  if (!profiler->keeps_calls()) return;
  const auto path = trainer.log_dir() / fmt::format("profile-{}.json", to_string(state.kind));
  try {
    std::filesystem::create_directories(path.parent_path());
    profiler->write_trace(path);
    log_info("every call of it, for chrome://tracing or ui.perfetto.dev: {}", path.string());
  } catch (const std::exception& error) {
    log_error("the profile can't be written: {}", error.what());
  }
  if (profiler->dropped_calls() > 0) {
    log_warning(
        "{} is not complete: the last {} calls had no room in it; profile fewer steps, with "
        "limit_train_batches or max_steps",
        path.string(), profiler->dropped_calls());
  }
}

}  // namespace grapnel
