// A growing text file of a logger, a line per row, with a line above them that is no row if need
// be.
//
// Nothing happens on disk before open(). Then an older file of the same name is either continued,
// up to the row at which a resumed run stood, or moved aside: nothing that was logged is lost. A
// file is continued when it begins with the rows that the run had written, so its directory may
// have been moved or copied in the meantime.
//
// Rows are written by flush(). Those that can't be written stay in memory until it succeeds; if
// they become very many, the newest are dropped, which is told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "grapnel/state_dict.h"
#include "loggers/append_file.h"
#include "loggers/row_digest.h"

namespace grapnel {

class LineFile {
 public:
  enum class Header { none, one_line };
  LineFile(std::filesystem::path path, Header header)
      : file_(std::move(path)), has_header_(header == Header::one_line) {}

  // Rows that wait in memory at most.
  static constexpr std::int64_t kMostWaiting = 20'000;
  // Rows after which a logger that nobody tells to save writes.
  static constexpr std::int64_t kWriteAfter = 500;

  const std::filesystem::path& path() const { return file_.path(); }
  bool is_open() const { return opened_; }
  std::int64_t waiting() const { return added_.rows() - written_.rows(); }

  // {"format", "file", "rows", ...}: the position after the rows that are in the file.
  StateDict state() const;
  // The next open() continues there, and removes later rows. CheckpointError for a state of an
  // unknown format.
  void resume_at(const StateDict& state);

  // What tells a row of a file with this header from other rows, whatever columns are added to the
  // file later; unset: the row itself.
  using Identify = std::function<std::string(const std::string& header, const std::string& row)>;
  // Makes the file ready for rows, which flush() does by itself when rows identify themselves.
  // Returns the header of a file that is continued; else empty.
  std::string open(const Identify& identify = {});
  // One row, without a line break, and what identifies it. To be written by flush().
  void add(std::string_view row, std::string_view identity);
  void add(std::string_view row) { add(row, row); }
  // Another header, and every row rewritten for it; in one step for readers. All rows must be
  // written. IoError when fewer can be read than were written: then the file stays as it is.
  using Rewrite = std::function<std::string(const std::string& row)>;
  void rewrite(const std::string& header, const Rewrite& rewrite_row);
  // IoError when rows can't be written now.
  void flush();

 private:
  std::optional<std::uint64_t> size_to_continue(const Identify& identify, std::string& header);
  void move_aside();

  AppendFile file_;
  bool has_header_;
  bool opened_ = false;
  std::optional<StateDict> resume_;  // until open()
  RowDigest written_;
  RowDigest added_;  // those that wait included
  std::string waiting_;
  std::int64_t dropped_ = 0;
};

}  // namespace grapnel
