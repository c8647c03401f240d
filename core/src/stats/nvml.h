// NVIDIA's management library, which comes with the driver: utilisation, memory, temperature and
// power of a GPU. Loaded at the first use and kept; without it, stats() and name() are empty.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "grapnel/logger.h"

namespace grapnel {

class Nvml {
 public:
  // Never throws; see available().
  Nvml();
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  bool available() const { return library_ != nullptr; }

  // Of the process's CUDA device of that index (CUDA_VISIBLE_DEVICES applies): utilisation of
  // processors and memory in percent, memory in use in bytes, temperature in degrees Celsius, power
  // in watts. Values that the device does not report are left out.
  Logger::Metrics stats(int64_t cuda_index) const;
  // "NVIDIA A100-SXM4-40GB"; empty: unknown.
  std::string name(int64_t cuda_index) const;

 private:
  struct Library;
  std::shared_ptr<const Library> library_;
};

}  // namespace grapnel
