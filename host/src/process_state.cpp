#include <grapnel/host/process_state.h>

#include <fmt/format.h>

#include <clocale>
#include <filesystem>
#include <map>
#include <string_view>
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

using Variables = std::map<std::string, std::string>;

// Of environment_text().
Variables variables_of(std::string_view text) {
  Variables variables;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find('\0'));
    text.remove_prefix(entry.size() + 1);
    const std::size_t equals = entry.find('=');
    if (equals != entry.npos) {
      variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
    }
  }
  return variables;
}

// "SIGINT, SIGTERM", "none".
std::string names(const std::vector<int>& signals) {
  std::vector<std::string> texts;
  for (const int signal : signals) texts.push_back(signal_name(signal));
  return texts.empty() ? "none" : join(texts);
}

}  // namespace

struct ProcessStateGuard::State {
  explicit State(Extent extent_)
      : extent(extent_),
        environment(extent == Extent::of_a_run ? std::string() : environment_text()),
        handlers(extent == Extent::everything ? SignalHandlers::Which::all
                                              : SignalHandlers::Which::of_a_run) {}

  Extent extent;
  std::string locale = read_locale();
  void* locale_of_thread = thread_locale();
  std::string directory = read_directory();
  unsigned umask = read_umask();
  std::string environment;
  std::vector<int> blocked = blocked_signals();
  std::map<std::string, std::uint64_t> limits = read_limits();
  SignalHandlers handlers;
};

ProcessStateGuard::ProcessStateGuard(Extent extent)
    : state_(std::make_unique<State>(extent)),
      streams_(extent == Extent::of_a_run ? std::make_unique<StandardStreams>() : nullptr) {}
ProcessStateGuard::~ProcessStateGuard() = default;

std::vector<std::string> ProcessStateGuard::changes() const {
  return changes_to(State(state_->extent));
}

std::vector<std::string> ProcessStateGuard::changes_until(const ProcessStateGuard& later) const {
  return changes_to(*later.state_);
}

std::vector<std::string> ProcessStateGuard::changes_to(const State& now) const {
  std::vector<std::string> changes;
  if (now.locale != state_->locale) {
    changes.push_back(
        fmt::format("the locale ({} to {})", printable(state_->locale), printable(now.locale)));
  }
  if (now.locale_of_thread != state_->locale_of_thread) {
    changes.emplace_back("the locale of the training thread");
  }
  for (const int signal : now.handlers.differing(state_->handlers)) {
    changes.push_back("the handler of " + signal_name(signal));
  }
  if (now.blocked != state_->blocked) {
    changes.push_back(
        fmt::format("the blocked signals ({} to {})", names(state_->blocked), names(now.blocked)));
  }
  if (now.directory != state_->directory) {
    changes.push_back(fmt::format("the working directory ({} to {})", printable(state_->directory),
                                  printable(now.directory)));
  }
  for (const auto& [name, limit] : state_->limits) {
    const auto after = now.limits.find(name);
    if (after == now.limits.end() || after->second == limit) continue;
    changes.push_back(fmt::format("{} ({} to {})", name, limit, after->second));
  }
  if (now.umask != state_->umask) {
    changes.push_back(fmt::format("the umask ({:03o} to {:03o})", state_->umask, now.umask));
  }
  const bool have_both = state_->extent != Extent::of_a_run && now.extent != Extent::of_a_run;
  if (!have_both || now.environment == state_->environment) return changes;
  const auto note = [&](const std::string& name) {
    changes.push_back("the environment variable " + printable(name));
  };
  const Variables before = variables_of(state_->environment);
  const Variables after = variables_of(now.environment);
  for (const auto& [name, value] : after) {
    const auto found = before.find(name);
    if (found == before.end() || found->second != value) note(name);
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) note(name);
  }
  return changes;
}

std::vector<std::string> ProcessStateGuard::restore() {
  const State now(state_->extent);
  std::vector<std::string> changed = changes_to(now);
  if (streams_ != nullptr) {
    for (std::string& stream : streams_->restore()) changed.push_back(std::move(stream));
  }
  if (changed.empty()) return changed;
  if (now.limits != state_->limits) {
    for (const auto& [name, limit] : state_->limits) set_limit(name, limit);
  }
  std::setlocale(LC_ALL, state_->locale.c_str());
  use_thread_locale(state_->locale_of_thread);
  for (const int signal : now.handlers.differing(state_->handlers)) {
    state_->handlers.install(signal);
  }
  if (now.blocked != state_->blocked) block_exactly(state_->blocked);
  std::error_code gone;
  if (now.directory != state_->directory) std::filesystem::current_path(state_->directory, gone);
  if (now.umask != state_->umask) set_umask(state_->umask);
  if (now.environment == state_->environment) return changed;
  const Variables before = variables_of(state_->environment);
  const Variables after = variables_of(now.environment);
  for (const auto& [name, value] : after) {
    if (!before.contains(name)) unset_environment_variable(name);
  }
  for (const auto& [name, value] : before) {
    const auto found = after.find(name);
    if (found == after.end() || found->second != value) set_environment_variable(name, value);
  }
  return changed;
}

}  // namespace grapnel::host
