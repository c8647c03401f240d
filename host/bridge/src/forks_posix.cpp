#include "forks.h"

#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace grapnel::bridge {
namespace {

extern "C" void in_forked_child() {
  if (running_plugin() != nullptr) {
    detail::is_forked_child.store(true, std::memory_order_relaxed);
  }
}

void write_text(const char* text) noexcept {
  (void)!::write(STDERR_FILENO, text, std::strlen(text));
}

}  // namespace

void watch_forks() noexcept {
  static const int registered = pthread_atfork(nullptr, nullptr, in_forked_child);
  (void)registered;
}

// Without locks and memory: other threads had some at the time of the fork.
void end_forked_child() noexcept {
  if (const RunningPlugin* running = running_plugin()) {
    for (
        const char* part :
        {"grapnel: error: plugin '", running->plugin, "' ", running->version,
         " forked the process in ", running->function,
         " and returned there in the child; the child has ended, the run continues without it\n"}) {
      write_text(part);
    }
  }
  std::_Exit(1);
}

}  // namespace grapnel::bridge
