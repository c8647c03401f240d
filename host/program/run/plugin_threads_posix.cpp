#include "plugin_threads.h"

#include <cerrno>
#include <memory>
#include <new>

#include <grapnel/bridge/running_plugin.h>

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

namespace grapnel::program {
namespace {

constexpr std::size_t kStackBytes = std::size_t{64} << 10;

constinit thread_local const host::PluginCode* owner = nullptr;

}  // namespace

const host::PluginCode* thread_owner() noexcept {
  return owner;
}

SignalStack::SignalStack() noexcept
    : memory_(::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                     0)) {
  if (memory_ == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = memory_;
  stack.ss_size = kStackBytes;
  ::sigaltstack(&stack, nullptr);
}

SignalStack::~SignalStack() {
  if (memory_ == MAP_FAILED) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
  ::munmap(memory_, kStackBytes);
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

using Function = void* (*)(void*);
using Create = int (*)(pthread_t*, const pthread_attr_t*, Function, void*);

struct Start {
  Function function;
  void* argument;
  const host::PluginCode* owner;
};

extern "C" void* run_plugin_thread(void* data) {
  const Start start = *std::unique_ptr<Start>(static_cast<Start*>(data));
  owner = start.owner;
  const SignalStack stack;
  return start.function(start.argument);
}

// By the class of its argument.
const host::PluginCode* owner_of_std_thread(const void* function, void* argument) noexcept {
  if (argument == nullptr || !host::starts_std_threads(function)) return nullptr;
  return host::plugin_at(*static_cast<void**>(argument));
}

// Of a library that is being loaded. nullptr: there is no memory for it.
const host::PluginCode* being_loaded(const bridge::RunningPlugin& running) noexcept try {
  return new host::PluginCode{running.plugin, running.version};
} catch (const std::bad_alloc&) {
  return nullptr;
}

// nullptr: not a plugin's.
const host::PluginCode* owner_of_new_thread(const void* caller, Function function,
                                            void* argument) noexcept {
  const auto code = reinterpret_cast<const void*>(function);
  if (owner != nullptr) return owner;
  if (const auto* found = host::plugin_at(caller)) return found;
  if (const auto* found = host::plugin_at(code)) return found;
  if (const auto* found = owner_of_std_thread(code, argument)) return found;
  const bridge::RunningPlugin* const running = bridge::running_plugin();
  if (running == nullptr || *running->callback != '\0') return nullptr;
  return being_loaded(*running);
}

}  // namespace

#endif

}  // namespace grapnel::program

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// In place of the C library's, as in process_ends_posix.cpp.
extern "C" __attribute__((visibility("default"))) int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
    void* argument) noexcept {
  using namespace grapnel;
  static const auto next = reinterpret_cast<program::Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  if (next == nullptr) return EAGAIN;
  const host::PluginCode* const owner =
      program::owner_of_new_thread(__builtin_return_address(0), function, argument);
  if (owner == nullptr) return next(thread, attributes, function, argument);
  auto* const start = new (std::nothrow) program::Start{function, argument, owner};
  if (start == nullptr) return EAGAIN;
  const int status = next(thread, attributes, &program::run_plugin_thread, start);
  if (status != 0) delete start;
  return status;
}

#endif
