#include "loggers/line_file.h"

#include <fmt/format.h>

#include <sstream>
#include <system_error>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "loggers/line_reader.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kFormat = 1;

// Whether the file is known by its absolute path, as in states of earlier builds; else by its rows.
bool is_known_by_path(const StateDict& state) {
  return fs::path(state.at("file").to_string()).is_absolute();
}

bool is_same_path(const StateDict& state, const fs::path& path) {
  return state.at("file").to_string() == fs::absolute(path).lexically_normal().string();
}

fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::none) throw IoError("look at", path, error.value());
  return type;
}

}  // namespace

StateDict LineFile::state() const {
  if (resume_.has_value()) return *resume_;
  StateDict state = written_.state();
  state["format"] = kFormat;
  state["file"] = path().filename().string();
  return state;
}

void LineFile::resume_at(const StateDict& state) {
  const std::int64_t format = state.at("format").to_int();
  const std::int64_t rows = state.at("rows").to_int();
  if (format != kFormat || rows < 0) {
    throw CheckpointError(
        {}, fmt::format("a logger's state has format {} with {} rows; known is format {}", format,
                        rows, kFormat));
  }
  if (!is_known_by_path(state)) static_cast<void>(RowDigest(state));  // refuses one that is damaged
  try {
    flush();
    file_.close();
  } catch (const IoError& error) {
    log_warning("{}; the run resumes with what was written before", error.what());
  }
  waiting_.clear();
  added_ = written_;
  opened_ = false;
  resume_ = state;
}

std::string LineFile::open(const Identify& identify) {
  if (opened_) return {};
  std::string header;
  const fs::file_type type = type_of(path());
  std::uint64_t size = 0;
  written_ = {};
  if (type != fs::file_type::not_found) {
    const auto continued = resume_.has_value() && type == fs::file_type::regular
                               ? size_to_continue(identify, header)
                               : std::nullopt;
    if (continued.has_value()) {
      size = *continued;
    } else {
      move_aside();
      header.clear();
      written_ = {};
    }
  }
  file_.open(size);
  added_ = written_;
  std::istringstream rows(waiting_);
  for (std::string row; std::getline(rows, row);) added_.add(row);
  resume_.reset();
  opened_ = true;
  return header;
}

// Reads the rows up to the resumed one. The bytes up to there; nothing when the rows aren't those
// of the resumed run.
std::optional<std::uint64_t> LineFile::size_to_continue(const Identify& identify,
                                                        std::string& header) {
  const bool by_path = is_known_by_path(*resume_);
  if (by_path && !is_same_path(*resume_, path())) return {};
  const std::int64_t rows = resume_->at("rows").to_int();
  LineReader reader(path());
  if (has_header_) reader.next(header);
  std::string row;
  while (written_.rows() < rows && reader.next(row)) {
    written_.add(identify ? identify(header, row) : row);
  }
  if (!by_path && !written_.begins_as(RowDigest(*resume_))) return {};
  if (written_.rows() < rows) {
    log_warning(
        "{} has {} rows, but the checkpoint was written after {}; logging continues after what "
        "is there",
        quote(display_path(path())), written_.rows(), rows);
  }
  return reader.position();
}

void LineFile::add(std::string_view row, std::string_view identity) {
  if (waiting() >= kMostWaiting) {
    ++dropped_;
    return;
  }
  waiting_ += row;
  waiting_ += '\n';
  added_.add(identity);
}

void LineFile::flush() {
  if (waiting_.empty()) return file_.restore_if_removed();
  open();
  file_.write(waiting_);
  waiting_.clear();
  written_ = added_;
  if (const std::int64_t dropped = std::exchange(dropped_, 0)) {
    log_warning("{} lacks {} rows, which could not be kept until it could be written again",
                quote(display_path(path())), dropped);
  }
}

void LineFile::rewrite(const std::string& header, const Rewrite& rewrite_row) {
  file_.restore_if_removed();
  AtomicFile replacement(path(), Durability::fast);
  std::uint64_t size = 0;
  const auto write = [&](const std::string& line) {
    replacement.write(line + "\n");
    size += line.size() + 1;
  };
  LineReader reader(path());
  std::string line;
  if (written_.rows() > 0) reader.next(line);  // the old header
  write(header);
  std::int64_t rows = 0;
  for (; rows < written_.rows() && reader.next(line); ++rows) write(rewrite_row(line));
  if (rows < written_.rows()) {
    throw IoError("rewrite", path(), 0,
                  fmt::format("it has {} rows, but {} were written to it; it stays as it is", rows,
                              written_.rows()));
  }
  file_.close();
  replacement.commit();
  try {
    file_.open(size);
  } catch (const IoError&) {
    // The next write tries again.
  }
}

void LineFile::move_aside() {
  fs::path free;
  std::error_code error;
  for (int number = 1; free.empty() || fs::exists(free, error); ++number) {
    free = path().parent_path() /
           fmt::format("{}-{}{}", path().stem().string(), number, path().extension().string());
  }
  if (!error) fs::rename(path(), free, error);
  if (error) throw IoError("move aside", path(), error.value());
  log_warning("{} was there already, from another run; it is now {}", quote(display_path(path())),
              quote(free.filename().string()));
}

}  // namespace grapnel
