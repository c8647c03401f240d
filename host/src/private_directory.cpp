#include "private_directory.h"

#include <grapnel/base/platform.h>

namespace grapnel::host {

void make_private_directory(const std::filesystem::path& path) {
  if (file_identity(path)) return;
  if (path.has_parent_path() && path.parent_path() != path) {
    make_private_directory(path.parent_path());
  }
  // False when another process created it first, which is fine.
  (void)create_private_directory(path);
}

}  // namespace grapnel::host
