#include "values/rng.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <fmt/format.h>

#include <mutex>
#include <new>
#include <type_traits>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "values/exception_text.h"

namespace grapnel {

namespace {

std::vector<at::Generator> cuda_generators() {
  std::vector<at::Generator> all;
  const auto devices = at::globalContext().hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  for (int i = 0; i < devices; ++i) {
    const at::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(i));
    all.push_back(at::globalContext().defaultGenerator(device));
  }
  return all;
}

std::string cuda_name(size_t device) {
  return fmt::format("cuda.{}", device);
}

std::vector<std::pair<std::string, at::Generator>> generators() {
  std::vector<std::pair<std::string, at::Generator>> all;
  all.emplace_back("cpu", at::detail::getDefaultCPUGenerator());
  for (at::Generator& generator : cuda_generators()) {
    all.emplace_back(cuda_name(all.size() - 1), std::move(generator));
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

void GeneratorMark::take() {
  at::Generator cpu = at::detail::getDefaultCPUGenerator();
  {
    const std::lock_guard<std::mutex> lock(cpu.mutex());
    auto* const generator = cpu.get<at::CPUGeneratorImpl>();
    // engine() returns 2.5 KB by value: made in place, they are copied once and not twice.
    static_assert(std::is_trivially_destructible_v<at::mt19937>);
    ::new (static_cast<void*>(&engine_)) at::mt19937(generator->engine());
    next_float_ = generator->next_float_normal_sample();
    next_double_ = generator->next_double_normal_sample();
  }
  if (!devices_.has_value()) {
    devices_.emplace();
    for (at::Generator& generator : cuda_generators()) devices_->push_back({std::move(generator)});
  }
  for (OfDevice& device : *devices_) {
    const std::lock_guard<std::mutex> lock(device.generator.mutex());
    device.seed = device.generator.current_seed();
    device.offset = device.generator.get_offset();
  }
}

StateDict GeneratorMark::states() const {
  const at::Generator cpu = at::detail::createCPUGenerator();
  auto* const generator = cpu.get<at::CPUGeneratorImpl>();
  generator->set_engine(engine_);
  generator->set_next_float_normal_sample(next_float_);
  generator->set_next_double_normal_sample(next_double_);
  StateDict states{{"cpu", cpu.get_state()}};
  for (size_t i = 0; devices_.has_value() && i < devices_->size(); ++i) {
    const OfDevice& device = (*devices_)[i];
    at::Generator copy = device.generator.clone();
    copy.set_current_seed(device.seed);
    copy.set_offset(device.offset);
    states[cuda_name(i)] = StateValue(copy.get_state());
  }
  return states;
}

GeneratorScope::~GeneratorScope() {
  try {
    set_generator_states(states_);
  } catch (const std::exception& error) {
    log_error("the random generators could not be restored: {}", exception_text(error));
  }
}

}  // namespace grapnel
