// Which of several checkpoints of a training is the last: the one that is furthest in it, by the
// counters in the files. Times of files say little: copying, unpacking and `touch` change them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

enum class CheckpointUse {
  resume,   // the whole state of a training; files of weights only are left out
  weights,  // any checkpoint
};

struct CheckpointChoice {
  std::filesystem::path file;  // empty: none can be used
  // Why others were left out, one sentence for each: files that are damaged, empty or no
  // checkpoints; those of weights only that are further than the one that was chosen; and one named
  // "last..." that was written later but is less far.
  std::vector<std::string> left_out;
};

// The last of these files by optimizer steps, then by epochs and batches; among equal ones the one
// named "last...", then the newest file. Several names of one file count once; links are followed,
// and one that leads nowhere is left out without a word, as is a file that is removed meanwhile. The
// chosen file was verified as a whole.
// Throws IoError when no file can be used and one of them can't be read.
GRAPNEL_CORE_API CheckpointChoice last_checkpoint(const std::vector<std::filesystem::path>& files,
                                                  CheckpointUse use);

// The checkpoints in a directory: regular files, and links to them, of this extension (".ckpt") that
// are not hidden. Empty when there is no such directory; throws IoError when it can't be read.
GRAPNEL_CORE_API std::vector<std::filesystem::path> checkpoints_in(
    const std::filesystem::path& directory, const std::string& extension);

}  // namespace grapnel
