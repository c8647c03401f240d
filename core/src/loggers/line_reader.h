// The lines of a file, one after the other.
//
// A read that fails is an IoError, never the end of the file: callers replace files by what they
// have read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "grapnel/base/platform.h"

namespace grapnel {

class LineReader {
 public:
  // IoError when it can't be opened or is not a regular file.
  explicit LineReader(const std::filesystem::path& path);

  // The next line without its line break; false after the last. What follows the last line break,
  // half written before a crash, is no line.
  bool next(std::string& line);
  // Bytes up to the end of the last line that next() gave.
  std::uint64_t position() const { return position_; }

 private:
  File file_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what is unread in the buffer
  std::uint64_t position_ = 0;
};

}  // namespace grapnel
