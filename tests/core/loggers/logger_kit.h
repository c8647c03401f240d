// What the tests of loggers with files share.
#pragma once

#include <string>

#include "captured_log.h"
#include "temp_dir.h"
#include "toy.h"

namespace grapnel::test {

inline LogDirectoryOptions directory_in(const TempDir& directory,
                                        std::optional<std::string> version = "version_0") {
  return {.save_dir = directory.path(), .name = "csv", .version = std::move(version)};
}

}  // namespace grapnel::test
