// platform.h on Windows, which has no umask, no POSIX groups and hardly any signal handlers.
#include "platform.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <grapnel/base/platform.h>
#include <grapnel/host/this_process.h>

namespace grapnel::host {

std::string environment_text() {
  std::string text;
  for (char** entry = _environ; entry != nullptr && *entry != nullptr; ++entry) {
    text.append(*entry).push_back('\0');
  }
  return text;
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

void OwnOutput::claim() noexcept {}

bool OwnOutput::write(std::string_view text) noexcept {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

bool OwnOutput::is_terminal() noexcept {
  return grapnel::is_terminal(Stream::output);
}

std::optional<int> OwnOutput::terminal_width() noexcept {
  return grapnel::terminal_width(Stream::output);
}

std::string host_name() {
  const char* const name = std::getenv("COMPUTERNAME");
  return name == nullptr ? "this machine" : name;
}

std::map<int, std::string> open_descriptors() {
  return {};
}

bool wait_for_child(int, double) noexcept {
  return false;
}

AddressRange mapped_range(const void*) noexcept {
  return {};
}

void confine_this_process(std::uint64_t) noexcept {}

// A child's job ends its descendants (process_windows.cpp).
OrphanTrap::OrphanTrap() = default;
OrphanTrap::~OrphanTrap() = default;

bool can_sync_file_system() noexcept {
  return false;
}

void sync_file_system(const std::filesystem::path&) {}

void* thread_locale() noexcept {
  return nullptr;
}

void use_thread_locale(void*) noexcept {}

std::vector<int> blocked_signals() {
  return {};
}

void block_exactly(const std::vector<int>&) {}

std::map<std::string, std::uint64_t> read_limits() {
  return {};
}

void set_limit(const std::string&, std::uint64_t) {}

struct StandardStreams::Kept {};

StandardStreams::StandardStreams() = default;
StandardStreams::~StandardStreams() = default;

std::vector<std::string> StandardStreams::restore() {
  return {};
}

struct SignalHandlers::Table {};

SignalHandlers::SignalHandlers(Which) {}
SignalHandlers::~SignalHandlers() = default;

std::vector<int> SignalHandlers::differing(const SignalHandlers&) const {
  return {};
}

void SignalHandlers::install(int) const {}

bool is_own_group_only(const std::filesystem::path&) {
  return false;
}

}  // namespace grapnel::host
