// NVIDIA's management library, where the driver has brought it: utilisation, memory, temperature and
// power of a GPU. Loaded when it is first asked for and kept; without it there is simply nothing.
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

  // Of the process's CUDA device of that number (CUDA_VISIBLE_DEVICES is followed): percent that the
  // processors and the memory were busy, bytes of memory in use, degrees Celsius, watts. What the
  // device doesn't tell is left out.
  Logger::Metrics stats(int64_t cuda_index) const;
  // "NVIDIA A100-SXM4-40GB"; empty: unknown.
  std::string name(int64_t cuda_index) const;

 private:
  struct Library;
  std::shared_ptr<const Library> library_;
};

}  // namespace grapnel
