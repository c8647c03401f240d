// A file that grows at its end. A write is there as a whole or not at all.
//
// What a failed write (a full disk, an I/O error) has left is cut off again, so that the file
// always ends with the last whole write and the next one may be tried when the reason has gone. A
// file that is removed while it is open is written again, with all that was in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace grapnel {

class AppendFile {
 public:
  explicit AppendFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  bool is_open() const { return out_.is_open(); }
  // Bytes that are in the file, from open() on; also after close().
  std::uint64_t size() const { return size_; }

  // Makes the file and its directories unless they are there, and cuts off what follows the first
  // `size` bytes. IoError when that fails; then it isn't open.
  void open(std::uint64_t size);
  // IoError when not all of it could be written.
  void write(std::string_view bytes);
  // Writes a file that was removed again. IoError when that fails.
  void restore_if_removed();
  // IoError when the system reports that what was written is lost.
  void close();

 private:
  void open_stream();
  void cut_off();
  [[noreturn]] void fail(std::string_view action, int error_number) const;

  std::filesystem::path path_;
  std::fstream out_;  // unbuffered: what write() returns for is with the system
  std::uint64_t size_ = 0;
  bool torn_ = false;  // more than size_ bytes may be there
};

}  // namespace grapnel
