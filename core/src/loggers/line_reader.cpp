#include "loggers/line_reader.h"

#include <span>

#include "grapnel/base/error.h"

namespace grapnel {

LineReader::LineReader(const std::filesystem::path& path)
    : file_(File::open(path, OpenMode::read)) {
  if (file_.identity().kind != FileKind::regular) {
    throw IoError("read", path, 0, "it is not a regular file");
  }
}

bool LineReader::next(std::string& line) {
  constexpr std::size_t kChunk = std::size_t{1} << 16;
  std::size_t searched = begin_;
  while (true) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(buffer_, begin_, end - begin_);
      position_ += end + 1 - begin_;
      begin_ = end + 1;
      return true;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    buffer_.resize(searched + kChunk);
    const std::size_t count =
        file_.read(std::as_writable_bytes(std::span(buffer_).subspan(searched)));
    buffer_.resize(searched + count);
    if (count == 0) return false;
  }
}

}  // namespace grapnel
