// What the tests of loggers with files share.
#pragma once

#include <string>

#include "../support/toy.h"
#include "grapnel/base/log.h"
#include "temp_dir.h"

namespace grapnel::test {

inline LogDirectoryOptions directory_in(const TempDir& directory,
                                        std::optional<std::string> version = "version_0") {
  return {.save_dir = directory.path(), .name = "csv", .version = std::move(version)};
}

// Notes warnings for a scope.
class Warnings : public LogSink {
 public:
  void write(LogLevel level, std::string_view text) override {
    if (level == LogLevel::warning) all += std::string(text) + "\n";
  }
  std::string all;
};

}  // namespace grapnel::test
