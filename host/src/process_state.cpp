#include <grapnel/host/process_state.h>

#include <fmt/format.h>

#include <clocale>
#include <filesystem>
#include <map>
#include <system_error>

#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

#include "platform.h"

namespace grapnel::host {
namespace {

std::string read_locale() {
  const char* const name = std::setlocale(LC_ALL, nullptr);
  return name == nullptr ? std::string() : name;
}

std::string read_directory() {
  std::error_code gone;
  return std::filesystem::current_path(gone).string();
}

}  // namespace

struct ProcessStateGuard::State {
  std::string locale = read_locale();
  std::string directory = read_directory();
  unsigned umask = read_umask();
  std::map<std::string, std::string> environment = read_environment();
  SignalHandlers handlers;
};

ProcessStateGuard::ProcessStateGuard() : state_(std::make_unique<State>()) {}
ProcessStateGuard::~ProcessStateGuard() = default;

std::vector<std::string> ProcessStateGuard::changes() const {
  std::vector<std::string> changes;
  const State now;
  if (now.locale != state_->locale) {
    changes.push_back(
        fmt::format("the locale ({} to {})", printable(state_->locale), printable(now.locale)));
  }
  for (const int signal : now.handlers.differing(state_->handlers)) {
    changes.push_back("the handler of " + signal_name(signal));
  }
  if (now.directory != state_->directory) {
    changes.push_back(fmt::format("the working directory ({} to {})", printable(state_->directory),
                                  printable(now.directory)));
  }
  if (now.umask != state_->umask) {
    changes.push_back(fmt::format("the umask ({:03o} to {:03o})", state_->umask, now.umask));
  }
  const auto note = [&](const std::string& name) {
    changes.push_back("the environment variable " + printable(name));
  };
  for (const auto& [name, value] : now.environment) {
    const auto before = state_->environment.find(name);
    if (before == state_->environment.end() || before->second != value) note(name);
  }
  for (const auto& [name, value] : state_->environment) {
    if (!now.environment.contains(name)) note(name);
  }
  return changes;
}

std::vector<std::string> ProcessStateGuard::restore() {
  std::vector<std::string> changed = changes();
  if (changed.empty()) return changed;
  const State now;
  std::setlocale(LC_ALL, state_->locale.c_str());
  for (const int signal : now.handlers.differing(state_->handlers)) {
    state_->handlers.install(signal);
  }
  std::error_code gone;
  if (now.directory != state_->directory) std::filesystem::current_path(state_->directory, gone);
  if (now.umask != state_->umask) set_umask(state_->umask);
  for (const auto& [name, value] : now.environment) {
    if (!state_->environment.contains(name)) unset_environment_variable(name);
  }
  for (const auto& [name, value] : state_->environment) {
    const auto after = now.environment.find(name);
    if (after == now.environment.end() || after->second != value) {
      set_environment_variable(name, value);
    }
  }
  return changed;
}

}  // namespace grapnel::host
