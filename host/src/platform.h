// What differs between Linux, macOS and Windows in the host beyond <grapnel/base/platform.h>: the parts of a
// process that a plugin must leave alone, and what a file's group means.
//
// Rules: only platform_posix.cpp and platform_windows.cpp see headers of the operating system
// (os_headers_test); where a system has no such thing, nothing is found and nothing changes.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace grapnel::host {

// All variables of the environment.
[[nodiscard]] std::map<std::string, std::string> read_environment();
void set_environment_variable(const std::string& name, const std::string& value);
void unset_environment_variable(const std::string& name);

// Permission bits that new files don't get; 0 where that is no matter of the process.
[[nodiscard]] unsigned read_umask();
void set_umask(unsigned mask);

// A snapshot of what each signal does to the process.
class SignalHandlers {
 public:
  // Of now.
  SignalHandlers();
  ~SignalHandlers();
  SignalHandlers(const SignalHandlers&) = delete;
  SignalHandlers& operator=(const SignalHandlers&) = delete;

  // The signals, ascending, that the other snapshot handles in another way.
  [[nodiscard]] std::vector<int> differing(const SignalHandlers& other) const;
  // Handles the signal as in this snapshot again.
  void install(int signal) const;

 private:
  struct Table;
  std::unique_ptr<Table> table_;
};

// Whether write permission for a file's group lets nobody in besides its owner: the group is the private
// group of this user, its number is the user's own, it carries the user's name, lists nobody else, and no
// access control list adds anybody. Many distributions give every user such a group and a umask of 002.
// Always false for the administrator, and where a system can't be asked.
[[nodiscard]] bool is_own_group_only(const std::filesystem::path& path);

}  // namespace grapnel::host
