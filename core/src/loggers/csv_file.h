// A table of metrics in a file: columns in alphabetical order, one more whenever a new name comes
// up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "grapnel/logger.h"
#include "loggers/line_file.h"

namespace grapnel {

class CsvFile {
 public:
  explicit CsvFile(std::filesystem::path path)
      : lines_(std::move(path), LineFile::Header::one_line) {}

  const std::filesystem::path& path() const { return lines_.path(); }
  std::int64_t rows() const { return lines_.rows(); }

  // One row: the metrics and "step". A metric named "step" gives way to the argument.
  void append(const Logger::Metrics& metrics, std::int64_t step);
  void flush() { lines_.flush(); }
  void resume_at(std::int64_t rows) { lines_.resume_at(rows); }

 private:
  LineFile lines_;
  std::vector<std::string> columns_;  // sorted
};

// The fields of one line, as RFC 4180 quotes them; and the line of such fields.
std::vector<std::string> split_csv(const std::string& line);
std::string join_csv(const std::vector<std::string>& fields);

}  // namespace grapnel
