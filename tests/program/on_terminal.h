// The program on a terminal: what it writes there.
#pragma once

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "catch.h"
#include "grapnel_user.h"

namespace grapnel::test {

// Everything the program writes to a terminal of so many columns; it must succeed.
inline std::string on_terminal(const GrapnelUser& user, const Arguments& arguments,
                               unsigned short columns, const Variables& more = {}) {
  winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    unsetenv("NO_COLOR");
    unsetenv("COLUMNS");
    setenv("TERM", "xterm", 1);
    for (const auto& [name, value] : user.environment()) setenv(name.c_str(), value.c_str(), 1);
    for (const auto& [name, value] : more) setenv(name.c_str(), value.c_str(), 1);
    if (chdir(user.directories.project.c_str()) != 0) _exit(126);
    std::vector<char*> argv = {const_cast<char*>("grapnel")};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(GRAPNEL, argv.data());
    _exit(127);
  }
  std::string output;
  char buffer[4096];
  // On Linux reading fails with EIO when the other side is closed.
  for (ssize_t size_read = 0; (size_read = read(terminal, buffer, sizeof buffer)) > 0;) {
    output.append(buffer, static_cast<std::size_t>(size_read));
  }
  close(terminal);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  INFO(output);
  CHECK(WEXITSTATUS(status) == 0);
  std::erase(output, '\r');
  return output;
}

}  // namespace grapnel::test
