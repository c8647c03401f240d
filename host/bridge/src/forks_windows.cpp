// forks.h on Windows, which has no fork().
#include "forks.h"

#include <cstdlib>

namespace grapnel::bridge {

void watch_forks() noexcept {}

void end_forked_child() noexcept {
  std::_Exit(1);
}

}  // namespace grapnel::bridge
