// platform.h on Linux and macOS: what a process has besides its state.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <thread>

#include "platform.h"

#if defined(__linux__)
#include <link.h>
#endif

namespace grapnel::host {

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> open;
#if defined(__linux__)
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path own = "/proc/self/fd";
  for (fs::directory_iterator it(own, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    std::error_code gone;
    const std::string target = fs::read_symlink(it->path(), gone).string();
    // The directory that is read here has one, too.
    if (gone || target.ends_with("/fd")) continue;
    open.emplace(number, target);
  }
#endif
  return open;
}

bool wait_for_child(int exit_code, double seconds) noexcept {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    int status = 0;
    const pid_t child = waitpid(-1, &status, WNOHANG);
    if (child < 0) return false;  // there are none
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == exit_code) return true;
    if (child > 0) continue;
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

AddressRange mapped_range([[maybe_unused]] const void* inside) noexcept {
#if defined(__linux__)
  struct Search {
    std::uintptr_t inside;
    std::uintptr_t begin = 0, end = 0;
  } search{reinterpret_cast<std::uintptr_t>(inside)};
  const auto look = [](dl_phdr_info* library, std::size_t, void* data) {
    auto& found = *static_cast<Search*>(data);
    std::uintptr_t begin = UINTPTR_MAX, end = 0;
    for (int i = 0; i < library->dlpi_phnum; ++i) {
      const auto& part = library->dlpi_phdr[i];
      if (part.p_type != PT_LOAD) continue;
      begin = std::min<std::uintptr_t>(begin, library->dlpi_addr + part.p_vaddr);
      end = std::max<std::uintptr_t>(end, library->dlpi_addr + part.p_vaddr + part.p_memsz);
    }
    if (found.inside < begin || found.inside >= end) return 0;
    found.begin = begin;
    found.end = end;
    return 1;
  };
  dl_iterate_phdr(look, &search);
  return {reinterpret_cast<const void*>(search.begin), reinterpret_cast<const void*>(search.end)};
#else
  return {};
#endif
}

}  // namespace grapnel::host
