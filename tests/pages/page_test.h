// For the programs that pages.py makes of the C++ blocks of a page.
#pragma once

#include <filesystem>

#include "temp_dir.h"

namespace grapnel::test {

// An empty directory, which is the working directory while this lives.
class WorkingDirectory {
 public:
  WorkingDirectory() { std::filesystem::current_path(directory_.path()); }
  ~WorkingDirectory() { std::filesystem::current_path(before_); }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

 private:
  TempDir directory_;
  std::filesystem::path before_ = std::filesystem::current_path();
};

}  // namespace grapnel::test
