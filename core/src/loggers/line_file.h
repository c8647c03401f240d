// A growing text file of a logger, a line per row, with a line above them that is no row if need
// be.
//
// Nothing happens on disk before open(). Then an older file of the same name is either gone on
// with, up to the row at which a resumed run stood, or moved aside: nothing that was logged is
// lost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace grapnel {

class LineFile {
 public:
  enum class Header { none, one_line };
  LineFile(std::filesystem::path path, Header header)
      : path_(std::move(path)), has_header_(header == Header::one_line) {}

  const std::filesystem::path& path() const { return path_; }
  // Those that the file has, or will have when it is opened.
  std::int64_t rows() const { return resume_at_.value_or(rows_); }
  bool is_open() const { return out_.is_open(); }

  // The next open() continues after so many rows of the file, and removes the later ones.
  void resume_at(std::int64_t rows);

  // Makes the file ready for rows. Returns the header of a file that is gone on with; else empty.
  std::string open();
  // One row, without a line break.
  void append(std::string_view row);
  // Another header, and every row rewritten for it; in one step for readers.
  using Rewrite = std::function<std::string(const std::string& row)>;
  void rewrite(const std::string& header, const Rewrite& rewrite_row);
  // Writes out what is buffered.
  void flush();

 private:
  // Replaces the file by its first `rows` rows; header: nullptr keeps the old one.
  void replace(std::int64_t rows, const std::string* header, const Rewrite& rewrite_row);
  void open_for_append();
  void close();
  void move_aside();
  [[noreturn]] void fail(std::string_view action) const;

  std::filesystem::path path_;
  bool has_header_;
  std::int64_t rows_ = 0;
  std::optional<std::int64_t> resume_at_;
  std::ofstream out_;
};

}  // namespace grapnel
