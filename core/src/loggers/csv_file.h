// A table of metrics in a file: columns in alphabetical order, one more whenever a new name comes
// up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "grapnel/logger.h"
#include "loggers/line_file.h"

namespace grapnel {

class CsvFile {
 public:
  explicit CsvFile(std::filesystem::path path)
      : lines_(std::move(path), LineFile::Header::one_line) {}

  // One row: the metrics and "step". A metric named "step" gives way to the argument. Kept in
  // memory until flush() has written it, or until there are LineFile::kMostWaiting of them.
  void append(const Logger::Metrics& metrics, std::int64_t step);
  std::int64_t waiting() const { return static_cast<std::int64_t>(waiting_.size()); }
  // IoError when rows can't be written now; the next flush() tries again.
  void flush();

  StateDict state() const { return lines_.state(); }
  void resume_at(const StateDict& state);

 private:
  using Row = std::map<std::string, std::string>;  // the cells that it has, by column

  void open();
  void add(const Row& row);

  LineFile lines_;
  std::vector<std::string> columns_;  // sorted
  std::vector<Row> waiting_;
  std::int64_t dropped_ = 0;
};

// The fields of one line, as RFC 4180 quotes them; and the line of such fields.
std::vector<std::string> split_csv(const std::string& line);
std::string join_csv(const std::vector<std::string>& fields);

}  // namespace grapnel
