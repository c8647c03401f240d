#include "own_group.h"

#if defined(__linux__)
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string_view>
#include <vector>

namespace grapnel::host {
namespace {

// The calling user's private group, or 0 when there is none. Looked up once: the answer may come from
// the network.
gid_t find_private_group() {
  const uid_t user = geteuid();
  if (user == 0) return 0;
  std::vector<char> user_buffer(16384), group_buffer(65536);
  passwd user_entry{};
  passwd* found_user = nullptr;
  getpwuid_r(user, &user_entry, user_buffer.data(), user_buffer.size(), &found_user);
  if (found_user == nullptr || user_entry.pw_gid == 0) return 0;
  group group_entry{};
  group* found_group = nullptr;
  getgrgid_r(user_entry.pw_gid, &group_entry, group_buffer.data(), group_buffer.size(),
             &found_group);
  if (found_group == nullptr) return 0;
  const std::string_view name = user_entry.pw_name;
  if (name != group_entry.gr_name) return 0;
  for (char** member = group_entry.gr_mem; *member != nullptr; ++member) {
    if (name != *member) return 0;
  }
  return user_entry.pw_gid;
}

}  // namespace

bool is_own_group_only(const std::filesystem::path& path) {
  static const gid_t private_group = find_private_group();
  struct stat status {};
  if (private_group == 0 || lstat(path.c_str(), &status) != 0) return false;
  if (status.st_gid != private_group || (status.st_mode & S_IWOTH) != 0) return false;
  // Under an access control list the group's bits are the mask of all its entries.
  return lgetxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) < 0;
}

}  // namespace grapnel::host
#else
namespace grapnel::host {

bool is_own_group_only(const std::filesystem::path&) {
  return false;
}

}  // namespace grapnel::host
#endif
