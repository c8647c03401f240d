#include "run_directory.h"

#include <fmt/format.h>

#include <cstdint>
#include <system_error>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/text.h>

namespace grapnel::program {
namespace {

namespace fs = std::filesystem;

// The newest checkpoint file in a directory, following links; empty when there is none.
fs::path newest_checkpoint(const fs::path& directory) {
  fs::path newest;
  fs::file_time_type newest_time{};
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".ckpt" || !entry.is_regular_file(error)) continue;
    const fs::file_time_type time = entry.last_write_time(error);
    // Prefers a file to a link to it.
    const bool newer = newest.empty() || time > newest_time ||
                       (time == newest_time && fs::is_symlink(newest, error));
    if (error || !newer) continue;
    newest = entry.path();
    newest_time = time;
  }
  return newest;
}

// "best_model_path" of the first ModelCheckpoint whose state is in the file; empty when there is
// none.
std::string recorded_best(const fs::path& checkpoint) {
  const CheckpointFile file = CheckpointFile::open(checkpoint, CheckpointCheck::on_use);
  const ConfigValue* callbacks = find_by_path(file.document(), "checkpoint.callbacks");
  if (callbacks == nullptr || !callbacks->is_object()) return {};
  for (const ConfigValue::Member& member : callbacks->as_object()) {
    const ConfigValue* best = member.value.find("best_model_path");
    if (best != nullptr && best->is_string() && !best->as_string().empty()) {
      return best->as_string();
    }
  }
  return {};
}

}  // namespace

fs::path make_run_directory(const std::string& name) {
  std::error_code error;
  fs::create_directories(kRunsDirectory, error);
  if (error) throw IoError("make the directory", kRunsDirectory, error.value());
  for (std::int64_t number = 0;; ++number) {
    const fs::path directory = fs::path(kRunsDirectory) / fmt::format("{}-{}", name, number);
    if (fs::create_directory(directory, error)) return directory;  // creating it reserves it
    if (error) throw IoError("make the directory", directory, error.value());
  }
}

std::optional<fs::path> latest_run_directory() {
  std::optional<fs::path> latest;
  fs::file_time_type latest_time{};
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(kRunsDirectory, error)) {
    const fs::path newest = newest_checkpoint(entry.path() / kCheckpointsDirectory);
    if (newest.empty()) continue;
    const fs::file_time_type time = fs::last_write_time(newest, error);
    if (error || (latest && time <= latest_time)) continue;
    latest = entry.path();
    latest_time = time;
  }
  return latest;
}

std::optional<fs::path> run_directory_of(const fs::path& checkpoint) {
  const fs::path directory = fs::absolute(checkpoint).lexically_normal().parent_path();
  if (directory.filename() != kCheckpointsDirectory) return std::nullopt;
  return display_path(directory.parent_path());
}

fs::path last_checkpoint(const fs::path& run_directory) {
  const fs::path newest = newest_checkpoint(run_directory / kCheckpointsDirectory);
  if (!newest.empty()) return newest;
  throw CheckpointError(run_directory / kCheckpointsDirectory,
                        "there is no checkpoint in this directory; give a "
                        "checkpoint with --ckpt, or another run with --run-dir");
}

fs::path best_checkpoint(const fs::path& run_directory) {
  const fs::path newest = last_checkpoint(run_directory);
  const std::string recorded = recorded_best(newest);
  if (recorded.empty()) return newest;
  // The run directory may have been moved, so it is searched first.
  const fs::path here = run_directory / kCheckpointsDirectory / fs::path(recorded).filename();
  std::error_code error;
  if (fs::exists(here, error)) return here;
  return fs::exists(recorded, error) ? fs::path(recorded) : newest;
}

}  // namespace grapnel::program
