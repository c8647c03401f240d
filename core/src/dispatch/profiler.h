// Times nested calls, for Profile and for a trace of all of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/base/clock.h"
#include "grapnel/profile.h"

namespace grapnel {

class Profiler {
 public:
  // keep_calls: keeps each single call too, up to kMostCalls.
  Profiler(const Clock& clock, bool keep_calls) : clock_(clock), keep_calls_(keep_calls) {}

  void begin() { open_.push_back({clock_.now(), 0}); }
  // Ends the innermost open call.
  void end(std::string_view who, std::string_view action);

  // The rows, unordered.
  std::vector<ProfileRow> rows() const;

  // The calls in the Trace Event Format, which chrome://tracing and Perfetto read. Throws IoError.
  void write_trace(const std::filesystem::path& path) const;
  bool keeps_calls() const { return keep_calls_; }
  // Calls that were not kept because there were too many.
  uint64_t dropped_calls() const { return dropped_; }

 private:
  static constexpr size_t kMostCalls = size_t{1} << 20;  // 24 MiB

  struct Open {
    double start;
    double inside;  // spent in nested calls
  };
  struct Call {
    const ProfileRow* row;
    double start;
    double seconds;
  };

  ProfileRow& row(std::string_view who, std::string_view action);

  const Clock& clock_;
  bool keep_calls_;
  std::vector<Open> open_;
  std::map<std::string, std::map<std::string, ProfileRow, std::less<>>, std::less<>> rows_;
  std::vector<Call> calls_;
  uint64_t dropped_ = 0;
};

// One call, for a scope; does nothing without a profiler.
class ProfilerSpan {
 public:
  ProfilerSpan(Profiler* profiler, std::string_view who, std::string_view action)
      : profiler_(profiler), who_(who), action_(action) {
    if (profiler_ != nullptr) profiler_->begin();
  }
  ~ProfilerSpan() {
    if (profiler_ != nullptr) profiler_->end(who_, action_);
  }
  ProfilerSpan(const ProfilerSpan&) = delete;
  ProfilerSpan& operator=(const ProfilerSpan&) = delete;

 private:
  Profiler* profiler_;
  std::string_view who_;
  std::string_view action_;
};

}  // namespace grapnel
