// load_monitor: logs where the time of a fit goes, and how busy the device is.
//
//   load/samples_per_second   of training, without validation
//   load/<phase>_share        of the time: data_wait, transfer, forward, backward, optimizer, validation
//   load/device_percent       how busy the device is; load/device_memory_mib, of all processes
//   load/process_memory_mib   resident memory of the training's process
//
// At the end of every training epoch, of the time since the epoch before. What the system does not tell
// is left out. Of several processes the first one logs. An instance with a label logs load_<label>/...
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <grapnel/plugin.hpp>

#include "../shared/instance_name.h"

namespace {

using namespace grapnel::plugin;

constexpr double kMib = 1024.0 * 1024.0;

struct Named {
  Phase phase;
  const char* name;
};
constexpr std::array<Named, 6> kPhases = {{{Phase::data_wait, "data_wait"},
                                           {Phase::transfer, "transfer"},
                                           {Phase::forward, "forward"},
                                           {Phase::backward, "backward"},
                                           {Phase::optimizer, "optimizer"},
                                           {Phase::validation, "validation"}}};

class LoadMonitor final : public Callback {
 public:
  void init(Services& services) override {
    services.timing();  // measured from the start on
    group_ = instance::named("load", services.plugin_info().label) + "/";
  }

  void on_train_start(Event& event) override {
    before_ = read(event);
    event.device().utilization();  // of the time since this call is the first one that is logged
  }

  void on_train_epoch_end(Event& event) override {
    const Times now = read(event);
    const Times before = std::exchange(before_, now);
    if (event.distributed().rank() != 0) return;
    const double seconds = now.total - before.total;
    if (seconds > 0) log_times(event, before, now, seconds);

    const TrainingDevice device = event.device();
    if (const auto percent = device.utilization()) event.log(group_ + "device_percent", *percent);
    if (const auto memory = device.memory()) {
      event.log(group_ + "device_memory_mib", static_cast<double>(memory->used) / kMib);
    }
    if (const auto resident = device.process_memory()) {
      event.log(group_ + "process_memory_mib", static_cast<double>(*resident) / kMib);
    }
  }

 private:
  struct Times {
    std::array<double, kPhases.size()> phases{};
    double total = 0;
    std::int64_t samples = 0;
  };

  static Times read(const Event& event) {
    const Timing timing = event.timing();
    Times times;
    for (std::size_t i = 0; i < kPhases.size(); ++i) {
      times.phases[i] = timing.seconds(kPhases[i].phase).value_or(0);
    }
    if (const auto total = timing.total()) times.total = total->seconds;
    if (const auto count = timing.count()) times.samples = count->samples;
    return times;
  }

  void log_times(const Event& event, const Times& before, const Times& now, double seconds) const {
    double training = seconds;
    for (std::size_t i = 0; i < kPhases.size(); ++i) {
      const double in_phase = now.phases[i] - before.phases[i];
      event.log(group_ + kPhases[i].name + "_share", in_phase / seconds);
      if (kPhases[i].phase == Phase::validation) training -= in_phase;
    }
    const auto samples = static_cast<double>(now.samples - before.samples);
    if (training > 0) event.log(group_ + "samples_per_second", samples / training);
  }

  std::string group_;  // of the names that it logs
  Times before_;
};

}  // namespace

GRAPNEL_PLUGIN(grapnel::plugin::callback<LoadMonitor>("load_monitor"))
