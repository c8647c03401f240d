// The device that an instance was told about by the extension device; made when it first asks.
#pragma once

#include <grapnel/ext/device.h>

#include <string>

#include <grapnel/device_info.h>

namespace grapnel::bridge {

struct KnownDevice {
  explicit KnownDevice(const c10::Device& device);

  DeviceMeter meter;
  std::string name;
  grapnel_device_info info{};
};

}  // namespace grapnel::bridge
