/* Extension device: the training's device, its load, and the memory of this process.
 *
 * Every function reads the system or the driver anew, some microseconds to milliseconds: not in every
 * step. GRAPNEL_NOT_FOUND for what they don't tell. Before a run all but process_memory are
 * GRAPNEL_NOT_NOW.
 */
#ifndef GRAPNEL_EXT_DEVICE_H_
#define GRAPNEL_EXT_DEVICE_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_DEVICE "grapnel.device/1"

/* Growable, the host's, valid until destroy. */
typedef struct grapnel_device_info {
  uint32_t struct_size;
  int32_t type;  /* GRAPNEL_DEVICE_... of ext/tensors.h or another number of DeviceType */
  int32_t index; /* -1 for the CPU */
  int32_t reserved;
  grapnel_string name; /* "NVIDIA H200"; empty: not known */
} grapnel_device_info;

typedef struct grapnel_device {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* info)(const grapnel_host* host, const grapnel_device_info** info);
  /* Bytes. Accelerator: memory in use by all processes. CPU: the machine's memory that new programs
   * can't have. */
  int32_t(GRAPNEL_CALL* memory)(const grapnel_host* host, uint64_t* used, uint64_t* total);
  /* 0 to 100. CPU: of all processors since this instance's previous call; GRAPNEL_NOT_FOUND where no
   * time has passed since then, as for its first call. GPU: as the driver averages it. */
  int32_t(GRAPNEL_CALL* utilization)(const grapnel_host* host, double* percent);
  /* Resident memory of this process, bytes. */
  int32_t(GRAPNEL_CALL* process_memory)(const grapnel_host* host, uint64_t* resident);
} grapnel_device;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_DEVICE_H_ */
