#include "grapnel/device_info.h"

#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include "stats/host_stats.h"
#include "stats/nvml.h"

namespace grapnel {

namespace {

// "model name	: AMD EPYC 7B13" (proc(5)); arm64 has none.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(':');
    const std::size_t first = line.find_first_not_of(' ', colon + 1);
    return colon == line.npos || first == line.npos ? std::string() : line.substr(first);
  }
  return {};
}

std::optional<double> find(const Logger::Metrics& metrics, std::string_view name) {
  for (const auto& [known, value] : metrics) {
    if (known == name) return value;
  }
  return std::nullopt;
}

}  // namespace

struct DeviceMeter::Sources {
  HostMeter host;
  std::optional<Nvml> nvml;
  int64_t index = 0;

  Logger::Metrics gpu() const { return nvml ? nvml->stats(index) : Logger::Metrics(); }
};

DeviceMeter::DeviceMeter(const c10::Device& device)
    : device_(device), sources_(std::make_unique<Sources>()) {
  if (device.is_cpu()) {
    name_ = processor_name();
  } else if (device.is_cuda()) {
    sources_->nvml.emplace();
    sources_->index = device.has_index() ? device.index() : 0;
    name_ = sources_->nvml->name(sources_->index);
  }
}

DeviceMeter::~DeviceMeter() = default;

std::optional<DeviceMemory> DeviceMeter::memory() const {
  if (device_.is_cpu()) return host_memory();
  const Logger::Metrics metrics = sources_->gpu();
  const auto used = find(metrics, "nvml.memory_used_bytes");
  const auto total = find(metrics, "nvml.memory_total_bytes");
  if (!used || !total) return std::nullopt;
  return DeviceMemory{static_cast<std::uint64_t>(*used), static_cast<std::uint64_t>(*total)};
}

std::optional<double> DeviceMeter::utilization_percent() {
  if (!device_.is_cpu()) return find(sources_->gpu(), "nvml.gpu_percent");
  return sources_->host.cpu_percent();
}

// "VmRSS:     1234 kB" (proc(5)); other systems have no such file.
std::optional<std::uint64_t> process_resident_bytes() {
  constexpr std::uint64_t kKibibyte = 1024;
  std::ifstream file("/proc/self/status");
  std::string key;
  while (file >> key) {
    std::uint64_t amount = 0;
    if (key == "VmRSS:" && file >> amount) return amount * kKibibyte;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

}  // namespace grapnel
