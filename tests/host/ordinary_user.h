// Tests may run as the administrator, whom no permission stops. For the length of a scope this
// process is nobody in particular, who owns the directory that is given.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <stdexcept>

namespace grapnel::test {

class OrdinaryUser {
 public:
  explicit OrdinaryUser(const std::filesystem::path& directory) : before_(geteuid()) {
    if (before_ != 0) return;
    give(directory);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) give(entry);
    if (seteuid(nobody) != 0) throw std::runtime_error("cannot become an ordinary user");
  }
  ~OrdinaryUser() { (void)!seteuid(before_); }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;

 private:
  static constexpr uid_t nobody = 65534;

  static void give(const std::filesystem::path& path) {
    if (lchown(path.c_str(), nobody, static_cast<gid_t>(-1)) != 0) {
      throw std::runtime_error("cannot give away " + path.string());
    }
  }

  uid_t before_;
};

}  // namespace grapnel::test
