// The group leaks: what is left after destroy.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <thread>

#include <grapnel/base/text.h>

#include "process_counts.h"
#include "subject.h"

namespace grapnel::validation {
namespace {

// After a training and destroy.
Verdict after_training(Subject& subject, Verdict (*check)(testkit::RecordingHost&)) {
  return subject.each_instance([&](Instance& instance) {
    (void)testkit::run_training(*instance.callback);
    instance.callback->destroy();
    return check(instance.host);
  });
}

Verdict handles(Subject& subject) {
  return after_training(subject, [](testkit::RecordingHost& host) {
    if (host.live_handles == 0) return pass();
    return fail(fmt::format("{} tensor handles were not released", host.live_handles));
  });
}

// The training's end undoes leases, so they are counted before.
Verdict leases(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    testkit::TrainingPlan plan;
    plan.checkpoints = false;
    const auto taken = instance.host.leases.size();
    (void)testkit::run_training(*instance.callback, plan);
    if (instance.host.leases_undone == 0) {
      return pass(fmt::format("{} leases", instance.host.leases.size() - taken));
    }
    return fail(fmt::format("{} leases were still running when the training ended, '{}' among them",
                            instance.host.leases_undone, instance.host.leases.back().reason));
  });
}

Verdict writes(Subject& subject) {
  return after_training(subject, [](testkit::RecordingHost& host) {
    if (host.unfinished_writes == 0 && host.writes.empty()) return pass();
    return fail(
        fmt::format("{} begin_write without end_write",
                    host.unfinished_writes + static_cast<std::int64_t>(host.writes.size())));
  });
}

// Of many lives of an instance: creates, trains and destroys it.
void live(Subject& subject, int times) {
  for (int i = 0; i < times; ++i) {
    for (const host::CallbackManifest& callback : subject.plugin().manifest().callbacks) {
      Instance instance = subject.start(callback);
      testkit::TrainingPlan plan;
      plan.epochs = 1;
      if (instance.callback != nullptr) (void)testkit::run_training(*instance.callback, plan);
      instance.end_with_host();
    }
  }
}

Verdict memory(Subject& subject) {
  constexpr int times = 16;
  live(subject, times);
  std::int64_t grown = std::numeric_limits<std::int64_t>::max();
  for (int window = 0; window < 4; ++window) {  // a leak grows in each, a buffer in one
    const std::int64_t before = memory_in_use();
    if (before < 0) return skip("this system doesn't tell how much memory is in use");
    live(subject, times);
    grown = std::min(grown, memory_in_use() - before);
  }
  if (grown < 16 * times) return pass();
  return fail(fmt::format("{} more bytes are in use after each training", grown / times));
}

Verdict counted(Subject& subject, std::int64_t (*count)(), const char* what) {
  live(subject, 1);
  const std::int64_t before = count();
  if (before < 0) return skip("this system doesn't tell");
  live(subject, 8);
  std::int64_t left = count() - before;
  // A thread that was joined may still be counted for a moment.
  for (int i = 0; i < 100 && left > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    left = count() - before;
  }
  if (left <= 0) return pass();
  return fail(fmt::format("8 trainings left {} {} behind", left, what));
}
Verdict threads(Subject& subject) {
  return counted(subject, count_threads, "threads");
}
Verdict descriptors(Subject& subject) {
  return counted(subject, count_descriptors, "open files");
}

Verdict files(Subject& subject) {
  live(subject, 1);
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(subject.directory())) {
    const std::string name = entry.path().filename().string();
    if (name != "run" && name != "data") found.push_back(quote(name));
  }
  if (found.empty()) return pass();
  return fail(
      fmt::format("it leaves {} in the working directory; what belongs to a run goes into "
                  "its run_directory, what the plugin keeps into data_directory",
                  join(found)));
}

}  // namespace

std::vector<Check> leak_checks() {
  return {
      {"leaks.handles", "it releases all tensors", handles},
      {"leaks.leases", "it ends its leases", leases},
      {"leaks.writes", "it ends what it begins to write", writes},
      {"leaks.memory", "it frees its memory", memory},
      {"leaks.threads", "it ends its threads", threads},
      {"leaks.descriptors", "it closes its files", descriptors},
      {"leaks.files", "it writes no files into the working directory", files},
  };
}

}  // namespace grapnel::validation
