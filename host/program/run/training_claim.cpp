#include "training_claim.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <system_error>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>
#include <grapnel/host/this_process.h>

#include "run_directory.h"

namespace grapnel::program {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockFile = ".lock";
// The lock file's text has always this length, so that a longer one is overwritten as a whole.
constexpr std::size_t kLockText = 512;

// Absolute, without a separator at its end.
fs::path normal(const fs::path& directory) {
  const fs::path path = fs::absolute(directory).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

// Makes the directory and those above it. The topmost that was missing; empty: none was.
fs::path make_directories(const fs::path& directory) {
  fs::path made;
  std::error_code error;
  for (fs::path path = normal(directory); !fs::exists(path, error); path = path.parent_path()) {
    made = path;
    if (path == path.parent_path()) break;
  }
  do {
    fs::create_directories(directory, error);
  } while (error == std::errc::interrupted);
  if (error) throw IoError("make the directory", directory, error.value());
  return made;
}

// "process 4711 on host a"; "another process" when the file doesn't say.
std::string holder_of(const fs::path& lock) {
  try {
    std::string text = read_file(lock, kLockText);
    text.erase(text.find_last_not_of(" \n") + 1);
    if (!text.empty()) return printable(text);
  } catch (const Error&) {
  }
  return "another process";
}

// A lock file is empty until its first holder has written, and then of one length. A file of another
// kind is the user's.
void require_lock_file(const fs::path& lock) {
  const std::string text = read_file(lock, std::numeric_limits<std::int64_t>::max());
  if (text.empty() || (text.size() == kLockText && text.starts_with("process "))) return;
  throw IoError(
      "train in", lock.parent_path(), 0,
      fmt::format("{} is needed to lock the directory, but has something else in it; move "
                  "it away, or train in another directory (--run-dir)",
                  quote(display_path(lock))));
}

bool has_no_locks(int error_number) {
  return error_number == ENOLCK || error_number == ENOTSUP || error_number == EOPNOTSUPP ||
         error_number == ENOSYS;
}

}  // namespace

TrainingClaim::TrainingClaim(fs::path directory, fs::path made)
    : directory_(std::move(directory)), made_(std::move(made)) {}

TrainingClaim::TrainingClaim(fs::path directory)
    : TrainingClaim(directory, make_directories(directory)) {
  lock();
}

TrainingClaim::TrainingClaim(TrainingClaim&& other) noexcept
    : directory_(std::move(other.directory_)),
      made_(std::exchange(other.made_, {})),
      lock_(std::move(other.lock_)),
      checkpoint_locks_(std::move(other.checkpoint_locks_)),
      kept_(std::exchange(other.kept_, true)) {}

TrainingClaim TrainingClaim::of_new_run(const std::string& name) {
  const fs::path made = make_directories(kRunsDirectory);
  for (std::int64_t number = 0;; ++number) {
    const fs::path directory = fs::path(kRunsDirectory) / fmt::format("{}-{}", name, number);
    std::error_code error;
    // Creating it reserves it.
    if (fs::create_directory(directory, error)) {
      TrainingClaim claim(directory, made.empty() ? normal(directory) : made);
      claim.lock();
      return claim;
    }
    if (error == std::errc::interrupted) {
      --number;
    } else if (error) {
      throw IoError("make the directory", directory, error.value());
    }
  }
}

TrainingClaim::~TrainingClaim() {
  if (stays()) return;
  std::error_code ignored;  // a destructor cannot report it
  fs::path directory = normal(directory_);
  fs::remove_all(directory, ignored);
  // Those above it only while nothing else is in them.
  while (directory != made_ && directory.has_relative_path()) {
    directory = directory.parent_path();
    if (!fs::remove(directory, ignored)) break;
  }
}

std::optional<FileLock> TrainingClaim::try_lock(const fs::path& directory, std::string& holder) {
  const fs::path file = directory / kLockFile;
  std::optional<FileLock> lock;
  try {
    lock = FileLock::try_acquire(file, LockKind::exclusive);
  } catch (const IoError& error) {
    if (!has_no_locks(error.error_number)) throw;
    log_warning(
        "the file system of {} has no locks; make sure that no other process trains in it "
        "meanwhile",
        quote(directory.string()));
    return std::nullopt;
  }
  if (!lock) {
    holder = holder_of(file);
    return std::nullopt;
  }
  require_lock_file(file);
  std::string text = fmt::format("process {} on {}", process_id(), host::host_name());
  text.resize(kLockText - 1, ' ');
  text += '\n';
  try {
    File::open(file, OpenMode::read_write, Links::refuse).write(std::as_bytes(std::span(text)));
  } catch (const IoError&) {
    // On a full disk others are told of "another process".
  }
  return lock;
}

void TrainingClaim::lock() {
  std::string holder;
  lock_ = try_lock(directory_, holder);
  if (holder.empty()) return;
  throw IoError("train in", directory_, 0,
                fmt::format("this run is being trained by {}; wait for its end, or train in "
                            "another directory (--run-dir)",
                            holder));
}

void TrainingClaim::claim_checkpoints(const fs::path& directory) {
  make_directories(directory);
  std::string holder;
  if (auto lock = try_lock(directory, holder)) checkpoint_locks_.push_back(std::move(*lock));
  if (holder.empty()) return;
  log_warning(
      "{} writes its checkpoints to {} too, and each may name and remove files as if it were alone; "
      "give each run its own dirpath",
      holder, quote(display_path(directory)));
}

}  // namespace grapnel::program
