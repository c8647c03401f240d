#include "stats/nvml.h"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <charconv>
#include <string_view>
#include <vector>

#include "grapnel/base/platform.h"

namespace grapnel {

namespace {

// From NVIDIA's nvml.h (NVML API Reference); the names with _v2 are those of the present ABI.
using NvmlDevice = void*;
constexpr int kNvmlSuccess = 0;
constexpr unsigned kNvmlTemperatureOfGpu = 0;

#ifdef _WIN32
constexpr const char* kNvmlFile = "nvml.dll";
#else
constexpr const char* kNvmlFile = "libnvidia-ml.so.1";
#endif

}  // namespace

struct Nvml::Library {
  struct Utilization {
    unsigned gpu;
    unsigned memory;
  };
  struct Memory {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
  };

  boost::dll::shared_library file;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*by_index)(unsigned, NvmlDevice*) = nullptr;
  int (*by_uuid)(const char*, NvmlDevice*) = nullptr;
  int (*name)(NvmlDevice, char*, unsigned) = nullptr;
  int (*utilization)(NvmlDevice, Utilization*) = nullptr;
  int (*memory)(NvmlDevice, Memory*) = nullptr;
  int (*temperature)(NvmlDevice, unsigned, unsigned*) = nullptr;
  int (*power)(NvmlDevice, unsigned*) = nullptr;

  template <class Function>
  void find(Function& function, const char* symbol) {
    using Plain = std::remove_pointer_t<Function>;
    if (file.has(symbol)) function = &file.get<Plain>(symbol);
  }

  ~Library() {
    if (shutdown != nullptr) shutdown();
  }

  // nullptr: there is no such device.
  NvmlDevice device(int64_t cuda_index) const {
    NvmlDevice found = nullptr;
    const auto visible = environment_variable("CUDA_VISIBLE_DEVICES");
    if (!visible.has_value() || visible->empty()) {
      return by_index(static_cast<unsigned>(cuda_index), &found) == kNvmlSuccess ? found : nullptr;
    }
    // The element of the list: a number, or "GPU-..." with the start of its UUID.
    std::string_view rest = *visible;
    for (int64_t i = 0; i < cuda_index && !rest.empty(); ++i) {
      const size_t comma = rest.find(',');
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    const std::string element(rest.substr(0, rest.find(',')));
    unsigned number = 0;
    const auto [end, error] =
        std::from_chars(element.data(), element.data() + element.size(), number);
    if (error == std::errc() && end == element.data() + element.size()) {
      return by_index(number, &found) == kNvmlSuccess ? found : nullptr;
    }
    const bool known = by_uuid != nullptr && by_uuid(element.c_str(), &found) == kNvmlSuccess;
    return known ? found : nullptr;
  }
};

Nvml::Nvml() {
  auto library = std::make_shared<Library>();
  std::error_code failed;
  library->file.load(kNvmlFile, failed, boost::dll::load_mode::search_system_folders);
  if (failed) return;
  library->find(library->init, "nvmlInit_v2");
  library->find(library->by_index, "nvmlDeviceGetHandleByIndex_v2");
  library->find(library->by_uuid, "nvmlDeviceGetHandleByUUID");
  library->find(library->name, "nvmlDeviceGetName");
  library->find(library->utilization, "nvmlDeviceGetUtilizationRates");
  library->find(library->memory, "nvmlDeviceGetMemoryInfo");
  library->find(library->temperature, "nvmlDeviceGetTemperature");
  library->find(library->power, "nvmlDeviceGetPowerUsage");
  if (library->init == nullptr || library->by_index == nullptr) return;
  if (library->init() != kNvmlSuccess) return;
  library->find(library->shutdown, "nvmlShutdown");
  library_ = std::move(library);
}

Nvml::~Nvml() = default;

Logger::Metrics Nvml::stats(int64_t cuda_index) const {
  Logger::Metrics metrics;
  if (!available()) return metrics;
  NvmlDevice device = library_->device(cuda_index);
  if (device == nullptr) return metrics;
  const auto add = [&](const char* name, double value) { metrics.emplace_back(name, value); };
  Library::Utilization busy{};
  if (library_->utilization != nullptr && library_->utilization(device, &busy) == kNvmlSuccess) {
    add("nvml.gpu_percent", busy.gpu);
    add("nvml.memory_percent", busy.memory);
  }
  Library::Memory memory{};
  if (library_->memory != nullptr && library_->memory(device, &memory) == kNvmlSuccess) {
    add("nvml.memory_used_bytes", static_cast<double>(memory.used));
    add("nvml.memory_total_bytes", static_cast<double>(memory.total));
  }
  unsigned value = 0;
  if (library_->temperature != nullptr &&
      library_->temperature(device, kNvmlTemperatureOfGpu, &value) == kNvmlSuccess) {
    add("nvml.temperature_celsius", value);
  }
  if (library_->power != nullptr && library_->power(device, &value) == kNvmlSuccess) {
    add("nvml.power_watts", value / 1000.0);
  }
  return metrics;
}

std::string Nvml::name(int64_t cuda_index) const {
  if (!available() || library_->name == nullptr) return {};
  NvmlDevice device = library_->device(cuda_index);
  std::vector<char> text(96);  // NVML_DEVICE_NAME_V2_BUFFER_SIZE
  const bool known =
      device != nullptr &&
      library_->name(device, text.data(), static_cast<unsigned>(text.size())) == kNvmlSuccess;
  return known ? std::string(text.data()) : std::string();
}

}  // namespace grapnel
