// Files that replace others in one step, and what such replacements leave when they are killed.
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "unique_suffix.h"

namespace grapnel {
namespace detail {

namespace fs = std::filesystem;

constexpr std::string_view temporary_mark = ".tmp-";

// The temporaries that this process has at the moment. (Its id may be that of a dead writer:
// in a container it often is.)
class LiveTemporaries {
 public:
  static LiveTemporaries& get() {
    static LiveTemporaries all;
    return all;
  }
  void add(const fs::path& path) {
    const std::scoped_lock lock(mutex_);
    names_.insert(path.filename().string());
  }
  void remove(const fs::path& path) {
    const std::scoped_lock lock(mutex_);
    names_.erase(path.filename().string());
  }
  bool contains(const fs::path& path) {
    const std::scoped_lock lock(mutex_);
    return names_.contains(path.filename().string());
  }

 private:
  std::mutex mutex_;
  std::set<std::string> names_;
};

// A temporary's name beside its target, for as long as the object lives; then the file is removed
// if it is still there.
class Temporary {
 public:
  explicit Temporary(const fs::path& target) {
    fs::path name = ".";
    name += target.filename();
    name += std::string(temporary_mark) + unique_suffix();
    path_ = target.parent_path() / name;
    LiveTemporaries::get().add(path_);
  }
  ~Temporary() {
    if (!was_moved_) static_cast<void>(remove_file(path_));  // a destructor cannot report it
    LiveTemporaries::get().remove(path_);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const fs::path& path() const noexcept { return path_; }
  void move_to(const fs::path& target) {
    replace_file(path_, target);
    was_moved_ = true;
  }

 private:
  fs::path path_;
  bool was_moved_ = false;
};

}  // namespace detail

namespace {

namespace fs = std::filesystem;

using detail::LiveTemporaries;
using detail::Temporary;
using detail::temporary_mark;

// Smaller pieces are gathered into writes of this size.
constexpr std::size_t buffer_bytes = std::size_t{1} << 16;
// So much is written before the disk is asked to begin with it: the sync at the end then waits for
// the last of these pieces instead of for the whole file.
constexpr std::size_t stride_bytes = std::size_t{16} << 20;

// The id of the process that made a temporary of this name; nullopt when it isn't one.
std::optional<std::int64_t> writer_of(std::string_view name) {
  const std::size_t mark = name.rfind(temporary_mark);
  if (!name.starts_with('.') || mark == std::string_view::npos || mark < 2) return std::nullopt;
  const std::string_view suffix = name.substr(mark + temporary_mark.size());
  std::array<std::uint64_t, 3> numbers{};  // process, count, random
  const char* at = suffix.data();
  const char* const end = suffix.data() + suffix.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '-')) return std::nullopt;
    const auto [stop, failure] = std::from_chars(at, end, numbers[i]);
    if (failure != std::errc()) return std::nullopt;
    at = stop;
  }
  if (at != end) return std::nullopt;
  return static_cast<std::int64_t>(numbers[0]);
}

// A link as earlier versions made it on the way to its name: ".last.ckpt.new".
bool is_older_link(const fs::directory_entry& entry, std::string_view name) {
  std::error_code failure;
  return name.starts_with('.') && name.ends_with(".new") && name.size() > 5 &&
         entry.is_symlink(failure);
}

bool is_locked(const fs::path& path) {
  try {
    return !File::open(path, OpenMode::read, Links::refuse).try_lock();
  } catch (const IoError&) {
    return false;  // a link, or gone, or unreadable
  }
}

bool is_stale(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  std::error_code failure;
  const auto age = fs::file_time_type::clock::now() - entry.last_write_time(failure);
  const bool is_old = !failure && age > std::chrono::hours(24);
  if (is_older_link(entry, name)) return true;
  const auto writer = writer_of(name);
  if (!writer || entry.is_directory(failure)) return false;
  if (*writer == process_id()) return !LiveTemporaries::get().contains(entry.path());
  return (is_old || !process_exists(*writer)) && !is_locked(entry.path());
}

}  // namespace

struct AtomicFile::State {
  State(const fs::path& target_path, Durability wanted)
      : target(target_path), temporary(target_path), durability(wanted) {}

  fs::path target;
  Temporary temporary;
  Durability durability;
  std::optional<File> file;  // closed before the temporary goes
  std::vector<std::byte> buffer;
  std::uint64_t written = 0;
  std::uint64_t sync_started = 0;  // up to here the disk was asked to write

  // Callers know the target, not the temporary.
  [[noreturn]] void fail(const IoError& error) const {
    throw IoError("write to", target, error.error_number, "the file is as it was before");
  }
  void write_through(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto piece = bytes.first(std::min(bytes.size(), stride_bytes));
      file->write(piece);
      written += piece.size();
      bytes = bytes.subspan(piece.size());
      if (durability == Durability::durable && written - sync_started >= stride_bytes) {
        file->start_sync(sync_started, written - sync_started);
        sync_started = written;
      }
    }
  }
  void flush() {
    write_through(buffer);
    buffer.clear();
  }
};

AtomicFile::AtomicFile(const fs::path& target, Durability durability) {
  if (!target.has_filename()) throw IoError("write to", target, EISDIR);
  state_ = std::make_unique<State>(target, durability);
  try {
    state_->file = File::open(state_->temporary.path(), OpenMode::create_new);
  } catch (const IoError& error) {
    throw IoError("write to", target, error.error_number);
  }
  // For others, who can't tell by the process's id that it is alive: in another container, or on
  // another machine. Where there are no locks the id has to do.
  static_cast<void>(state_->file->try_lock());
}

AtomicFile::~AtomicFile() = default;

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (!state_->file) throw std::logic_error("a committed file was written to");
  try {
    std::vector<std::byte>& buffer = state_->buffer;
    if (buffer.size() + bytes.size() > buffer_bytes) state_->flush();
    if (bytes.size() >= buffer_bytes) {
      state_->write_through(bytes);
    } else {
      buffer.insert(buffer.end(), bytes.begin(), bytes.end());
    }
  } catch (const IoError& error) {
    state_->fail(error);
  }
}

void AtomicFile::commit() {
  if (!state_->file) throw std::logic_error("a file was committed twice");
  try {
    state_->flush();
    if (state_->durability == Durability::durable) state_->file->sync();
    state_->file->close();
    state_->file.reset();
    state_->temporary.move_to(state_->target);
  } catch (const IoError& error) {
    state_->fail(error);
  }
  if (state_->durability == Durability::fast) return;
  try {
    sync_directory(state_->target.parent_path());
  } catch (const IoError& error) {
    throw IoError("write to disk", state_->target, error.error_number,
                  "its new content is in place, but could be lost with the power");
  }
}

const fs::path& AtomicFile::target() const noexcept {
  return state_->target;
}
const fs::path& AtomicFile::temporary() const noexcept {
  return state_->temporary.path();
}

void write_file(const fs::path& path, std::string_view content, Durability durability) {
  AtomicFile file(path, durability);
  file.write(content);
  file.commit();
}

void replace_link(const fs::path& target, const fs::path& link, Durability durability) {
  if (!link.has_filename()) throw IoError("make a link at", link, EISDIR);
  Temporary temporary(link);
  std::error_code failure;
  do {
    fs::create_symlink(target, temporary.path(), failure);
  } while (failure == std::errc::interrupted);
  if (failure) throw IoError("make a link at", link, failure.value());
  try {
    temporary.move_to(link);
  } catch (const IoError& error) {
    throw IoError("make a link at", link, error.error_number, "what is there is as it was before");
  }
  if (durability == Durability::durable) sync_directory(link.parent_path());
}

std::vector<fs::path> remove_stale_temporaries(const fs::path& directory) {
  std::vector<fs::path> removed;
  std::error_code failure;
  fs::directory_iterator entry(directory.empty() ? "." : directory, failure);
  while (!failure && entry != fs::directory_iterator()) {
    if (is_stale(*entry) && !remove_file(entry->path())) removed.push_back(entry->path());
    entry.increment(failure);
  }
  std::ranges::sort(removed);
  return removed;
}

}  // namespace grapnel
