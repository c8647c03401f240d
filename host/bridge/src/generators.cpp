#include "generators.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <functional>
#include <mutex>

#include <grapnel/base/log.h>

#include "describe_exception.h"

namespace grapnel::bridge {
namespace {

std::vector<at::Generator> default_generators() {
  std::vector<at::Generator> generators = {at::detail::getDefaultCPUGenerator()};
  if (at::globalContext().hasCUDA()) {
    const c10::DeviceIndex devices = c10::impl::getDeviceGuardImpl(c10::kCUDA)->deviceCount();
    for (c10::DeviceIndex i = 0; i < devices; ++i) {
      generators.push_back(at::globalContext().defaultGenerator(c10::Device(c10::kCUDA, i)));
    }
  }
  return generators;
}

// A fixed mixing of the seed, so that a run repeats on every machine (splitmix64's finalizer, by
// Sebastiano Vigna, public domain, over FNV-1a of the name).
std::uint64_t mixed(std::uint64_t seed, const std::string& whose) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : whose) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  std::uint64_t mixed = seed + hash;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return mixed ^ (mixed >> 31);
}

}  // namespace

std::string generator_state_fault(const std::string& device, const at::Tensor& state) {
  for (const at::Generator& generator : default_generators()) {
    if (generator.device().str() != device) continue;
    try {
      at::Generator trial = generator.clone();
      trial.set_state(state);
    } catch (const std::exception&) {
      return describe_exception(std::current_exception());
    }
    return {};
  }
  return {};  // of a device that isn't here; it is kept
}

OwnGenerators::OwnGenerators(GeneratorStates& own) : own_(own) {
  try {
    for (at::Generator& generator : default_generators()) {
      const std::lock_guard lock(generator.mutex());
      swapped_.push_back({generator, generator.device().str(), generator.get_state()});
      const auto state = own_.states.find(swapped_.back().device);
      if (state != own_.states.end()) {
        generator.set_state(state->second);
      } else {
        generator.set_current_seed(mixed(generator.current_seed(), own_.whose));
      }
    }
  } catch (...) {
    put_back();
    throw;
  }
}

OwnGenerators::~OwnGenerators() {
  for (Swapped& swapped : swapped_) {
    try {
      const std::lock_guard lock(swapped.generator.mutex());
      own_.states[swapped.device] = swapped.generator.get_state();
    } catch (const std::exception&) {
      log_error("cannot keep the random generator of {} of {}: {}", swapped.device, own_.whose,
                describe_exception(std::current_exception()));
    }
  }
  put_back();
}

void OwnGenerators::put_back() noexcept {
  for (Swapped& swapped : swapped_) {
    try {
      const std::lock_guard lock(swapped.generator.mutex());
      swapped.generator.set_state(swapped.training);
    } catch (const std::exception&) {
      log_error("cannot put the random generator of {} back after an operator of {}: {}",
                swapped.device, own_.whose, describe_exception(std::current_exception()));
    }
  }
}

}  // namespace grapnel::bridge
