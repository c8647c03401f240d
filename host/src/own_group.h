// Whether write permission for a file's group lets anybody in besides its owner.
#pragma once

#include <filesystem>

namespace grapnel::host {

// True when the group is the private group of this user: its number is the user's own, it carries the
// user's name, lists nobody else, and no access control list adds anybody. Many distributions give
// every user such a group and a umask of 002. Always false for the administrator and on systems
// without POSIX groups.
[[nodiscard]] bool is_own_group_only(const std::filesystem::path& path);

}  // namespace grapnel::host
