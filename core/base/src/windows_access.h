// Who may change a file on Windows, and directories and files for their owner alone.
#pragma once

#include "windows_error.h"

namespace grapnel::detail {

struct FileAccessFacts {
  bool owned_by_us = false;         // by this user, the administrators or the system
  bool writable_by_others = false;  // by any other account
};

// What the access control list of an open file or directory (READ_CONTROL) says. A list that cannot
// be read counts as open to everybody.
FileAccessFacts access_facts(HANDLE file);

// A security descriptor that gives everything to the owner, administrators and system, and nothing
// to anybody else; what is created in a directory with it inherits it.
class PrivateAccess {
 public:
  PrivateAccess();
  ~PrivateAccess();
  PrivateAccess(const PrivateAccess&) = delete;
  PrivateAccess& operator=(const PrivateAccess&) = delete;
  SECURITY_ATTRIBUTES* get() noexcept { return &attributes_; }

 private:
  SECURITY_ATTRIBUTES attributes_{};
};

}  // namespace grapnel::detail
