#include "stats/host_stats.h"

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace grapnel {

namespace {

// Percent with one decimal.
double percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return 0.0;
  return std::round(1000.0 * static_cast<double>(part) / static_cast<double>(whole)) / 10.0;
}

struct MemoryInfo {
  uint64_t total = 0, available = 0, swap_total = 0, swap_free = 0;  // KiB
};

// Lines like "MemAvailable:   12345 kB" (proc(5)).
std::optional<MemoryInfo> memory_info() {
  std::ifstream file("/proc/meminfo");
  MemoryInfo info;
  std::string name;
  uint64_t value = 0;
  while (file >> name >> value) {
    if (name == "MemTotal:") info.total = value;
    if (name == "MemAvailable:") info.available = value;
    if (name == "SwapTotal:") info.swap_total = value;
    if (name == "SwapFree:") info.swap_free = value;
    std::getline(file, name);  // the unit
  }
  if (info.total == 0 || info.available > info.total) return std::nullopt;
  return info;
}

}  // namespace

std::optional<DeviceMemory> host_memory() {
  const std::optional<MemoryInfo> info = memory_info();
  if (!info) return std::nullopt;
  return DeviceMemory{(info->total - info->available) * 1024, info->total * 1024};
}

HostMeter::HostMeter() : before_(times().value_or(Times())) {}

// "cpu  user nice system idle iowait irq softirq steal guest guest_nice" in ticks; the guests' time
// is part of user and nice (proc(5)).
std::optional<HostMeter::Times> HostMeter::times() {
  std::ifstream file("/proc/stat");
  std::string name;
  if (!(file >> name) || name != "cpu") return std::nullopt;
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line);
  Times times;
  uint64_t ticks = 0;
  for (int field = 0; field < 8 && fields >> ticks; ++field) {
    times.total += ticks;
    const bool idle = field == 3 || field == 4;
    if (!idle) times.busy += ticks;
  }
  return times;
}

std::optional<double> HostMeter::cpu_percent() {
  const auto now = times();
  if (!now.has_value() || now->total == before_.total) return std::nullopt;
  const Times before = std::exchange(before_, *now);
  if (now->total < before.total || now->busy < before.busy) return std::nullopt;
  return percent(now->busy - before.busy, now->total - before.total);
}

std::optional<HostStats> HostMeter::read() {
  const auto memory = memory_info();
  const auto now = times();
  if (!memory.has_value() || !now.has_value()) return std::nullopt;
  HostStats stats;
  stats.vm_percent = percent(memory->total - memory->available, memory->total);
  stats.swap_percent = percent(memory->swap_total - memory->swap_free, memory->swap_total);
  // The counts of a processor that was taken away may step back.
  if (now->total > before_.total && now->busy >= before_.busy) {
    stats.cpu_percent = percent(now->busy - before_.busy, now->total - before_.total);
  }
  before_ = *now;
  return stats;
}

}  // namespace grapnel
