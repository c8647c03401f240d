// platform.h on Linux and macOS: what a probed plugin may take, and what it leaves running.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <system_error>

#include "platform.h"

#if defined(__linux__)
#include <sys/prctl.h>
#endif

namespace grapnel::host {

#if defined(__linux__)
namespace {

// Bytes of address space that this process has; 0 when /proc doesn't tell.
std::uint64_t address_space() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// The process ids of this process's children, ended ones included.
std::set<pid_t> children() {
  std::set<pid_t> found;
  std::error_code error;
  const std::string own = std::to_string(getpid());
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    // "42 (any name) S 7 ...": the name may hold anything.
    std::string stat;
    std::getline(std::ifstream(it->path() / "stat"), stat, '\0');
    const std::size_t name_end = stat.rfind(") ");
    if (name_end == std::string::npos) continue;
    const std::size_t parent = name_end + 4;
    if (stat.compare(parent, own.size() + 1, own + " ") == 0) found.insert(std::stoi(name));
  }
  return found;
}

// OrphanTraps that live, the first one's children and what the process was before it.
struct OrphanTraps {
  std::mutex mutex;
  int count = 0;
  int was_reaper = 0;
  std::set<pid_t> before;
};

OrphanTraps& orphan_traps() {
  static OrphanTraps traps;
  return traps;
}
}  // namespace
#endif

void confine_this_process([[maybe_unused]] std::uint64_t more_memory) noexcept {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
#if defined(__linux__)
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  rlimit memory{};
  if (const std::uint64_t now = address_space();
      now > 0 && getrlimit(RLIMIT_AS, &memory) == 0 && now + more_memory < memory.rlim_cur) {
    memory.rlim_cur = memory.rlim_max = now + more_memory;
    setrlimit(RLIMIT_AS, &memory);
  }
#endif
}

#if defined(__linux__)

OrphanTrap::OrphanTrap() {
  OrphanTraps& traps = orphan_traps();
  const std::lock_guard lock(traps.mutex);
  if (traps.count++ > 0) return;
  traps.before = children();
  prctl(PR_GET_CHILD_SUBREAPER, &traps.was_reaper);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

OrphanTrap::~OrphanTrap() {
  OrphanTraps& traps = orphan_traps();
  const std::lock_guard lock(traps.mutex);
  if (--traps.count > 0) return;
  // The children of those that are ended come next; some may be starting others.
  for (bool found = true; found;) {
    found = false;
    for (const pid_t child : children()) {
      if (traps.before.contains(child)) continue;
      if (kill(child, SIGKILL) != 0) continue;
      found = true;
      while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
  prctl(PR_SET_CHILD_SUBREAPER, traps.was_reaper);
}

#else

OrphanTrap::OrphanTrap() = default;
OrphanTrap::~OrphanTrap() = default;

#endif

}  // namespace grapnel::host
