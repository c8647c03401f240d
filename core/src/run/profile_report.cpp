#include "run/profile_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "values/exception_text.h"

namespace grapnel {

void ProfileReport::start() {
  hooks_.set_clock(clock_);
  hooks_.reset_counts();
  profiler_.reset();
  if (kind_ != ProfilerKind::none) {
    profiler_ = std::make_unique<Profiler>(clock_, kind_ == ProfilerKind::advanced);
  }
  hooks_.set_profiler(profiler_.get());
  started_ = clock_.now();
  running_ = true;
}

Profile ProfileReport::profile() const {
  Profile result;
  result.run_seconds = running_ ? clock_.now() - started_ : seconds_;
  result.sampled = profiler_ == nullptr;
  if (profiler_ != nullptr) {
    result.rows = profiler_->rows();
  } else {
    result.rows = hooks_.counts();
  }
  std::stable_sort(
      result.rows.begin(), result.rows.end(),
      [](const ProfileRow& a, const ProfileRow& b) { return a.own_seconds > b.own_seconds; });
  return result;
}

void ProfileReport::finish(const Trainer& trainer) {
  seconds_ = clock_.now() - started_;
  running_ = false;
  if (profiler_ == nullptr) return;
  log_info("{} took:\n{}", to_string(trainer.state().kind), profile().table());
  if (!profiler_->keeps_calls()) return;
  const auto path =
      trainer.log_dir() / fmt::format("profile-{}.json", to_string(trainer.state().kind));
  try {
    create_parent_directories(path);
    profiler_->write_trace(path);
    log_info("every call of it, for chrome://tracing or ui.perfetto.dev: {}", path.string());
  } catch (const std::exception& error) {
    log_error("the profile can't be written: {}", exception_text(error));
  }
  if (profiler_->dropped_calls() > 0) {
    log_warning(
        "{} is not complete: the last {} calls had no room in it; profile fewer steps, with "
        "limit_train_batches or max_steps",
        path.string(), profiler_->dropped_calls());
  }
}

}  // namespace grapnel
