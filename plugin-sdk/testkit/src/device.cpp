#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t device_info(const grapnel_host* host, const grapnel_device_info** info) {
  static grapnel_device_info recorded;
  const auto& device = RecordingHost::of(host).device;
  recorded = {sizeof recorded, device.type, device.type == GRAPNEL_DEVICE_CPU ? -1 : 0, 0,
              to_abi(device.name)};
  *info = &recorded;
  return GRAPNEL_OK;
}
std::int32_t device_memory(const grapnel_host* host, std::uint64_t* used, std::uint64_t* total) {
  const auto& memory = RecordingHost::of(host).device.memory;
  if (!memory) return GRAPNEL_NOT_FOUND;
  *used = memory->first;
  *total = memory->second;
  return GRAPNEL_OK;
}
template <class Known, class T>
std::int32_t known(const Known& value, T* out) {
  if (!value) return GRAPNEL_NOT_FOUND;
  *out = *value;
  return GRAPNEL_OK;
}
std::int32_t utilization(const grapnel_host* host, double* percent) {
  return known(RecordingHost::of(host).device.utilization, percent);
}
std::int32_t process_memory(const grapnel_host* host, std::uint64_t* resident) {
  return known(RecordingHost::of(host).device.process_memory, resident);
}
const grapnel_device device_functions = {sizeof(grapnel_device),
                                         0,
                                         service<device_info>("device.info"),
                                         service<device_memory>("device.memory"),
                                         service<utilization>("device.utilization"),
                                         service<process_memory>("device.process_memory")};

}  // namespace

const void* device_table() {
  return &device_functions;
}

}  // namespace grapnel::testkit
