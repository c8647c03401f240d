#include "signals.h"

#include <atomic>
#include <csignal>

#include <grapnel/base/error.h>

namespace grapnel::program {

#if defined(_WIN32)
const int kRequeueSignal = 0;
#else
const int kRequeueSignal = SIGUSR1;
#endif

namespace {

std::atomic<Trainer*> watched = nullptr;
std::atomic<int> first_signal = 0;
static_assert(std::atomic<Trainer*>::is_always_lock_free);  // required in a signal handler
static_assert(std::atomic<int>::is_always_lock_free);

std::atomic<bool> interrupted_before = false, terminated_before = false;

// Leaves the handler as it is, which is watched while plugins are loaded.
extern "C" void on_signal(int number) {
  const bool again = (number == SIGINT && interrupted_before.exchange(true)) ||
                     (number == SIGTERM && terminated_before.exchange(true));
  if (again) {
    std::signal(number, SIG_DFL);
    std::raise(number);  // ends the process when this returns
    return;
  }
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  if (Trainer* trainer = watched.load()) trainer->interrupt(first_signal);
}

}  // namespace

Signals::Signals() {
  first_signal = 0;
  interrupted_before = terminated_before = false;
  const auto handle = [this](int number, Handler handler) {
    const Handler before = std::signal(number, handler);
    if (before == SIG_IGN) {
      std::signal(number, SIG_IGN);
    } else if (before != SIG_ERR) {
      former_.push_back({number, before});
    }
  };
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
#if !defined(_WIN32)
  handle(SIGHUP, on_signal);
  handle(SIGUSR1, on_signal);
  handle(SIGXCPU, on_signal);
  std::signal(SIGPIPE, SIG_IGN);  // and these two until the end: errors are printed there
  std::signal(SIGXFSZ, SIG_IGN);
#endif
}

Signals::~Signals() {
  for (const Former& former : former_) std::signal(former.number, former.handler);
  watched = nullptr;
}

void Signals::check() {
  if (const int number = first_signal.load(); number != 0) throw Interrupted(number);
}

void Signals::watch(Trainer* trainer) {
  watched = trainer;
}

int Signals::first() {
  return first_signal.load();
}

}  // namespace grapnel::program
