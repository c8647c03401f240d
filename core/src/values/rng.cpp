#include "values/rng.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <fmt/format.h>

#include <mutex>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"

namespace grapnel {

namespace {

std::vector<std::pair<std::string, at::Generator>> generators() {
  std::vector<std::pair<std::string, at::Generator>> all;
  all.emplace_back("cpu", at::detail::getDefaultCPUGenerator());
  const auto cuda_devices =
      at::globalContext().hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  for (int i = 0; i < cuda_devices; ++i) {
    all.emplace_back(fmt::format("cuda.{}", i), at::globalContext().defaultGenerator(at::Device(
                                                    at::kCUDA, static_cast<c10::DeviceIndex>(i))));
  }
  return all;
}

}  // namespace

void seed_generators(uint64_t seed) {
  at::manual_seed(seed);
}

StateDict generator_states() {
  StateDict states;
  for (auto& [name, generator] : generators()) {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    states[name] = StateValue(generator.get_state());
  }
  return states;
}

void set_generator_states(const StateDict& states) {
  for (auto& [name, generator] : generators()) {
    const StateValue* saved = states.find(name);
    if (saved == nullptr) continue;
    const std::lock_guard<std::mutex> lock(generator.mutex());
    try {
      generator.set_state(saved->to_tensor().contiguous());
    } catch (const c10::Error& error) {
      throw CheckpointError({}, fmt::format("the state of the {} random generator doesn't fit: {}",
                                            name, error.what_without_backtrace()));
    }
  }
}

GeneratorScope::~GeneratorScope() {
  try {
    set_generator_states(states_);
  } catch (const std::exception& error) {
    log_error("the random generators could not be restored: {}", error.what());
  }
}

}  // namespace grapnel
