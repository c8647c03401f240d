// platform.h on Windows, which has no umask, no POSIX groups and hardly any signal handlers.
#include "platform.h"

#include <cstdlib>
#include <string_view>

#include <grapnel/host/this_process.h>

namespace grapnel::host {

std::map<std::string, std::string> read_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = _environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

void set_environment_variable(const std::string& name, const std::string& value) {
  _putenv_s(name.c_str(), value.c_str());
}

void unset_environment_variable(const std::string& name) {
  _putenv_s(name.c_str(), "");
}

unsigned read_umask() {
  return 0;
}

void set_umask(unsigned) {}

void open_missing_streams() noexcept {}

std::string host_name() {
  const char* const name = std::getenv("COMPUTERNAME");
  return name == nullptr ? "this machine" : name;
}

void confine_this_process(std::uint64_t) noexcept {}

// A child's job ends its descendants (process_windows.cpp).
OrphanTrap::OrphanTrap() = default;
OrphanTrap::~OrphanTrap() = default;

bool can_sync_file_system() noexcept {
  return false;
}

void sync_file_system(const std::filesystem::path&) {}

struct SignalHandlers::Table {};

SignalHandlers::SignalHandlers() = default;
SignalHandlers::~SignalHandlers() = default;

std::vector<int> SignalHandlers::differing(const SignalHandlers&) const {
  return {};
}

void SignalHandlers::install(int) const {}

bool is_own_group_only(const std::filesystem::path&) {
  return false;
}

}  // namespace grapnel::host
