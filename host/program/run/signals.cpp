#include "signals.h"

#include <atomic>
#include <csignal>

namespace grapnel::program {
namespace {

std::atomic<Trainer*> running = nullptr;
static_assert(std::atomic<Trainer*>::is_always_lock_free);  // required in a signal handler

extern "C" void on_signal(int number) {
  std::signal(number, SIG_DFL);  // the next one ends the process
  if (Trainer* trainer = running.load()) trainer->interrupt(number);
}

}  // namespace

SignalScope::SignalScope(Trainer& trainer) {
  running = &trainer;
  interrupt_before_ = std::signal(SIGINT, on_signal);
  terminate_before_ = std::signal(SIGTERM, on_signal);
}

SignalScope::~SignalScope() {
  std::signal(SIGINT, interrupt_before_);
  std::signal(SIGTERM, terminate_before_);
  running = nullptr;
}

}  // namespace grapnel::program
