#include "loggers/line_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

// A whole line; what a crash left half written at the end is none.
bool next_line(std::ifstream& in, std::string& line) {
  return std::getline(in, line) && !in.eof();
}

}  // namespace

void LineFile::resume_at(std::int64_t rows) {
  close();
  resume_at_ = rows;
}

std::string LineFile::open() {
  if (is_open()) return {};
  std::string header;
  const auto resumed = std::exchange(resume_at_, std::nullopt);
  if (fs::exists(path_) && resumed.has_value()) {
    replace(*resumed, nullptr, {});
    if (rows_ < *resumed) {
      log_warning(
          "{} has {} rows, but the checkpoint was written after {}; logging continues after what "
          "is there",
          quote(display_path(path_)), rows_, *resumed);
    }
    std::ifstream in(path_, std::ios::binary);
    if (has_header_) std::getline(in, header);
  } else if (fs::exists(path_)) {
    move_aside();
  }
  open_for_append();
  return header;
}

void LineFile::append(std::string_view row) {
  out_ << row << '\n';
  ++rows_;
}

void LineFile::flush() {
  if (!is_open()) return;
  errno = 0;
  out_.flush();
  if (!out_) fail("write to");
}

void LineFile::rewrite(const std::string& header, const Rewrite& rewrite_row) {
  close();
  replace(rows_, &header, rewrite_row);
  open_for_append();
}

void LineFile::replace(std::int64_t rows, const std::string* header, const Rewrite& rewrite_row) {
  AtomicFile replacement(path_, Durability::fast);
  std::ifstream in(path_, std::ios::binary);
  std::string line;
  if (has_header_ && next_line(in, line) && header == nullptr) replacement.write(line + "\n");
  if (header != nullptr) replacement.write(*header + "\n");
  rows_ = 0;
  while (rows_ < rows && next_line(in, line)) {
    replacement.write((rewrite_row ? rewrite_row(line) : line) + "\n");
    ++rows_;
  }
  in.close();
  replacement.commit();
}

void LineFile::open_for_append() {
  std::error_code error;
  fs::create_directories(path_.parent_path(), error);
  if (error) throw IoError("make the directory", path_.parent_path(), error.value());
  errno = 0;
  out_.open(path_, std::ios::binary | std::ios::app);
  if (!out_) fail("open");
}

void LineFile::close() {
  if (!is_open()) return;
  flush();
  out_.close();
}

void LineFile::move_aside() {
  fs::path free;
  for (int number = 1; free.empty() || fs::exists(free); ++number) {
    free = path_.parent_path() /
           fmt::format("{}-{}{}", path_.stem().string(), number, path_.extension().string());
  }
  std::error_code error;
  fs::rename(path_, free, error);
  if (error) throw IoError("move aside", path_, error.value());
  rows_ = 0;
  log_warning("{} was there already, from another run; it is now {}", quote(display_path(path_)),
              quote(free.filename().string()));
}

void LineFile::fail(std::string_view action) const {
  throw IoError(action, path_, errno, "metrics can't be logged there");
}

}  // namespace grapnel
