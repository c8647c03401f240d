#include <grapnel/host/process_state.h>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>

#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

#if !defined(_WIN32)
#include <sys/stat.h>
#include <unistd.h>
extern char** environ;
#endif

namespace grapnel::host {
namespace {

#if defined(_WIN32)
void set_variable(const std::string& name, const std::string& value) {
  _putenv_s(name.c_str(), value.c_str());
}
void unset_variable(const std::string& name) {
  _putenv_s(name.c_str(), "");
}

// Rights of new files are not a matter of the process there.
unsigned read_umask() {
  return 0;
}
void set_umask(unsigned) {}

// There are no signal handlers to speak of.
class SignalHandlers {
 public:
  [[nodiscard]] std::vector<int> differing(const SignalHandlers&) const { return {}; }
  void install(int) const {}
};
#else
void set_variable(const std::string& name, const std::string& value) {
  setenv(name.c_str(), value.c_str(), 1);
}
void unset_variable(const std::string& name) {
  unsetenv(name.c_str());
}

// "Umask:\t0022" of /proc/self/status, Linux 4.7 or newer; nullopt elsewhere.
std::optional<unsigned> umask_of_status() {
  std::ifstream status("/proc/self/status");
  constexpr std::string_view key = "Umask:\t";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(key)) continue;
    unsigned mask = 0;
    const char* const end = line.data() + line.size();
    const auto result = std::from_chars(line.data() + key.size(), end, mask, 8);
    if (result.ec == std::errc() && result.ptr == end) return mask;
  }
  return std::nullopt;
}

unsigned read_umask() {
  if (const auto mask = umask_of_status()) return *mask;
  // Elsewhere it can only be read by setting it, for the whole process: files that other threads make
  // meanwhile are private ones.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const mode_t mask = umask(077);
  umask(mask);
  return mask;
}
void set_umask(unsigned mask) {
  umask(static_cast<mode_t>(mask));
}

class SignalHandlers {
 public:
  SignalHandlers() {
    for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, nullptr, &handlers_[signal]);
  }
  [[nodiscard]] std::vector<int> differing(const SignalHandlers& other) const {
    std::vector<int> signals;
    for (int signal = 1; signal < NSIG; ++signal) {
      // sa_handler and sa_sigaction are one place in memory. Flags mean nothing without a function, and
      // the C library adds one of its own when it puts a default back.
      const auto &a = handlers_[signal], &b = other.handlers_[signal];
      const bool is_function = a.sa_handler != SIG_DFL && a.sa_handler != SIG_IGN;
      if (a.sa_handler != b.sa_handler || (is_function && a.sa_flags != b.sa_flags)) {
        signals.push_back(signal);
      }
    }
    return signals;
  }
  void install(int signal) const { sigaction(signal, &handlers_[signal], nullptr); }

 private:
  std::array<struct sigaction, NSIG> handlers_{};
};
#endif

using Environment = std::map<std::string, std::string>;

Environment read_environment() {
#if defined(_WIN32)
  char** const environ = _environ;
#endif
  Environment variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

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
  Environment environment = read_environment();
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
    if (!state_->environment.contains(name)) unset_variable(name);
  }
  for (const auto& [name, value] : state_->environment) {
    const auto after = now.environment.find(name);
    if (after == now.environment.end() || after->second != value) {
      set_variable(name, value);
    }
  }
  return changed;
}

}  // namespace grapnel::host
