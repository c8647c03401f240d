// Extension device: what core's DeviceMeter reads.
#include <grapnel/ext/device.h>

#include <algorithm>
#include <memory>
#include <optional>

#include <grapnel/base/utf8.h>
#include <grapnel/device_info.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"
#include "known_device.h"

namespace grapnel::bridge {
namespace {

// Of the trainer's device; nullptr: there is no run.
KnownDevice* device_of(InstanceHost& self) {
  if (self.trainer() == nullptr) return nullptr;
  const c10::Device& device = self.trainer()->device();
  for (const auto& known : self.devices) {
    if (known->meter.device() == device) return known.get();
  }
  return self.devices.emplace_back(std::make_unique<KnownDevice>(device)).get();
}

std::int32_t GRAPNEL_CALL info(const grapnel_host* host,
                               const grapnel_device_info** result) noexcept {
  return service<NoTensors>(host, "device.info", [&](InstanceHost& self) {
    check_output(result);
    KnownDevice* device = device_of(self);
    if (device == nullptr) return GRAPNEL_NOT_NOW;
    *result = &device->info;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL memory(const grapnel_host* host, std::uint64_t* used,
                                 std::uint64_t* total) noexcept {
  return service<NoTensors>(host, "device.memory", [&](InstanceHost& self) {
    check_output(used);
    check_output(total);
    KnownDevice* device = device_of(self);
    if (device == nullptr) return GRAPNEL_NOT_NOW;
    const std::optional<DeviceMemory> read = device->meter.memory();
    if (!read) return GRAPNEL_NOT_FOUND;
    *used = read->used;
    *total = read->total;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL utilization(const grapnel_host* host, double* percent) noexcept {
  return service<NoTensors>(host, "device.utilization", [&](InstanceHost& self) {
    check_output(percent);
    KnownDevice* device = device_of(self);
    if (device == nullptr) return GRAPNEL_NOT_NOW;
    const std::optional<double> read = device->meter.utilization_percent();
    if (!read) return GRAPNEL_NOT_FOUND;
    *percent = *read;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL process_memory(const grapnel_host* host,
                                         std::uint64_t* resident) noexcept {
  return service<NoTensors>(host, "device.process_memory", [&](InstanceHost&) {
    check_output(resident);
    const std::optional<std::uint64_t> read = process_resident_bytes();
    if (!read) return GRAPNEL_NOT_FOUND;
    *resident = *read;
    return GRAPNEL_OK;
  });
}

}  // namespace

KnownDevice::KnownDevice(const c10::Device& device)
    : meter(device),
      name(to_utf8(meter.name())),
      info{sizeof info, static_cast<std::int32_t>(device.type()),
           device.is_cpu() ? -1 : std::max<std::int32_t>(device.index(), 0), 0, to_abi(name)} {}

const grapnel_device kDevice = {sizeof(grapnel_device), 0, &info, &memory, &utilization,
                                &process_memory};

}  // namespace grapnel::bridge
