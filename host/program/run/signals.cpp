#include "signals.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>

#include <grapnel/base/error.h>

#include "plugin_watch.h"

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

// When the first of each came, by the steady clock; 0: none did.
std::atomic<std::int64_t> interrupted_at = 0, terminated_at = 0;
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

// One that follows so soon is the first again: `timeout` and supervisors signal a process, and then all
// of its group.
constexpr std::chrono::nanoseconds kSameSignal = std::chrono::milliseconds(250);

bool is_second(std::atomic<std::int64_t>& first) {
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  std::int64_t before = 0;
  return !first.compare_exchange_strong(before, now) &&
         std::chrono::steady_clock::duration(now - before) > kSameSignal;
}

// Leaves the handler as it is, which is watched while plugins are loaded.
extern "C" void on_signal(int number) {
  const bool again = (number == SIGINT && is_second(interrupted_at)) ||
                     (number == SIGTERM && is_second(terminated_at));
  if (again) {
    std::signal(number, SIG_DFL);
    std::raise(number);  // ends the process when this returns
    return;
  }
  if (number == SIGINT) tell_of_hangs();
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  if (Trainer* trainer = watched.load()) trainer->interrupt(first_signal);
}

}  // namespace

Signals::Signals() {
  first_signal = 0;
  interrupted_at = terminated_at = 0;
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
  tell_of_no_hangs();
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
