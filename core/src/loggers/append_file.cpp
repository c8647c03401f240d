#include "loggers/append_file.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace fs = std::filesystem;

void AppendFile::open(std::uint64_t size) {
  create_parent_directories(path_);
  size_ = size;
  torn_ = true;
  open_stream();
  try {
    cut_off();
  } catch (const IoError&) {
    out_.close();
    throw;
  }
}

void AppendFile::open_stream() {
  do {
    errno = 0;
    out_.clear();
    out_.rdbuf()->pubsetbuf(nullptr, 0);
    out_.open(path_, std::ios::binary | std::ios::in | std::ios::out | std::ios::app);
  } while (!out_ && errno == EINTR);
  if (!out_) fail("open", errno);
}

void AppendFile::cut_off() {
  if (!torn_) return;
  std::error_code error;
  const std::uintmax_t found = fs::file_size(path_, error);
  if (!error && found > size_) fs::resize_file(path_, size_, error);
  if (error) fail("shorten", error.value());
  if (found < size_) size_ = found;
  torn_ = false;
}

void AppendFile::write(std::string_view bytes) {
  if (!is_open()) open(size_);
  restore_if_removed();
  cut_off();
  errno = 0;
  out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out_) {
    const int reason = errno;
    out_.clear();
    torn_ = true;
    try {
      cut_off();
    } catch (const IoError&) {
      // Tried again before the next write.
    }
    fail("write to", reason);
  }
  size_ += bytes.size();
}

void AppendFile::restore_if_removed() {
  std::error_code error;
  if (!is_open() || fs::exists(path_, error) || error) return;
  // The system keeps the content of a removed file until it is closed.
  std::string content(static_cast<std::size_t>(size_), '\0');
  out_.seekg(0);
  out_.read(content.data(), static_cast<std::streamsize>(content.size()));
  const auto found = static_cast<std::size_t>(out_.gcount());
  out_.clear();
  if (found < content.size()) fail("read back", EIO);
  write_file((create_parent_directories(path_), path_), content, Durability::fast);
  out_.close();
  open_stream();
  log_warning("{} was removed while metrics were logged to it; it has been written again",
              quote(display_path(path_)));
}

void AppendFile::close() {
  if (!is_open()) return;
  errno = 0;
  out_.close();
  const int reason = errno;
  const bool failed = !out_;
  out_.clear();
  if (failed) fail("write to", reason);
}

void AppendFile::fail(std::string_view action, int error_number) const {
  throw IoError(action, path_, error_number, "metrics can't be logged there");
}

}  // namespace grapnel
