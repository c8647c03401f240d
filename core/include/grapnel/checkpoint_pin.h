// Keeps a checkpoint from being removed while somebody needs the file: an upload, say.
//
// ModelCheckpoint removes files that are no longer among the best; one that is pinned stays, and goes with
// the next removal after the last pin has ended. Pins are the process's, count, and don't keep a file from
// being written again. From any thread.
#pragma once

#include <filesystem>

#include "grapnel/export.h"

namespace grapnel {

class GRAPNEL_CORE_API CheckpointPin {
 public:
  // Relative paths are the working directory's; the file need not exist.
  explicit CheckpointPin(const std::filesystem::path& path);
  ~CheckpointPin();
  CheckpointPin(CheckpointPin&& other) noexcept;
  CheckpointPin& operator=(CheckpointPin&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }  // absolute

  // Whether removing the file would take a pinned one away, by whatever paths both are named.
  static bool holds(const std::filesystem::path& file);

 private:
  std::filesystem::path path_;  // empty: of one that was moved from
};

}  // namespace grapnel
