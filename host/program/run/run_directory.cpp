#include "run_directory.h"

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>

#include "checkpoint_places.h"

namespace grapnel::program {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> checkpoints_of(const fs::path& run_directory) {
  std::vector<fs::path> files;
  for (const CheckpointPlace& place : checkpoint_places(run_directory)) {
    for (fs::path& file : checkpoints_in(place.directory, place.extension)) {
      files.push_back(std::move(file));
    }
  }
  return files;
}

// When the last of a run's checkpoints was written; nullopt when there is none.
std::optional<fs::file_time_type> last_written(const fs::path& run_directory) {
  std::optional<fs::file_time_type> last;
  std::error_code error;
  std::vector<fs::path> files;
  try {
    files = checkpoints_of(run_directory);
  } catch (const IoError& failure) {
    log_warning("{}; this run is left out", failure.what());
  }
  for (const fs::path& file : files) {
    const fs::file_time_type time = fs::last_write_time(file, error);
    if (!error && (!last || time > *last)) last = time;
  }
  return last;
}

// "best_model_path" of the first ModelCheckpoint whose state is in the file; empty when there is
// none.
fs::path recorded_best(const fs::path& checkpoint) {
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

// A training that still runs replaces its checkpoints, perhaps faster than they are read here.
constexpr int kMostChoices = 100;

// Chooses again while all files that were found have been removed before they were read.
CheckpointChoice choose_last(const fs::path& run_directory, CheckpointUse use,
                             std::vector<fs::path>& files) {
  for (int tried = 1;; ++tried) {
    files = checkpoints_of(run_directory);
    CheckpointChoice choice = grapnel::last_checkpoint(files, use);
    const bool all_gone = !files.empty() && choice.file.empty() && choice.left_out.empty();
    if (!all_gone) return choice;
    if (tried == kMostChoices) {
      choice.left_out = {"each was removed before it could be read"};
      return choice;
    }
  }
}

}  // namespace

void with_present_checkpoint(const std::function<fs::path()>& choose,
                             const std::function<void()>& use) {
  for (int tried = 1;; ++tried) {
    const fs::path chosen = choose();
    try {
      return use();
    } catch (const IoError& error) {
      const bool is_gone = error.error_number == ENOENT && error.path == chosen;
      if (!is_gone || tried == kMostChoices) throw;
    }
  }
}

std::optional<fs::path> latest_run_directory() {
  std::optional<fs::path> latest;
  std::optional<fs::file_time_type> latest_time;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(kRunsDirectory, error)) {
    const auto time = last_written(entry.path());
    if (!time || (latest_time && *time <= *latest_time)) continue;
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

bool has_checkpoints(const fs::path& run_directory) {
  return !checkpoints_of(run_directory).empty();
}

fs::path last_checkpoint(const fs::path& run_directory, CheckpointUse use) {
  std::vector<fs::path> files;
  const CheckpointChoice choice = choose_last(run_directory, use, files);
  const fs::path directory = run_directory / kCheckpointsDirectory;
  if (files.empty()) {
    throw CheckpointError(
        directory,
        "there is no checkpoint in this directory; give a checkpoint with --ckpt, "
        "or another run with --run-dir");
  }
  if (choice.file.empty()) {
    throw CheckpointError(directory, fmt::format("none of the {} checkpoints of this run can be "
                                                 "used: {}",
                                                 files.size(), join(choice.left_out, "; ")));
  }
  for (const std::string& reason : choice.left_out) {
    log_warning("{}; {} is used", reason, quote(display_path(choice.file)));
  }
  return choice.file;
}

fs::path best_checkpoint(const fs::path& run_directory) {
  fs::path last;
  fs::path recorded;
  with_present_checkpoint(
      [&] { return last = last_checkpoint(run_directory, CheckpointUse::weights); },
      [&] { recorded = recorded_best(last); });
  if (recorded.empty()) return last;
  // The run directory may have been moved, so it is searched first.
  std::error_code error;
  for (const CheckpointPlace& place : checkpoint_places(run_directory)) {
    const fs::path here = place.directory / recorded.filename();
    if (fs::exists(here, error)) return here;
  }
  return fs::exists(recorded, error) ? recorded : last;
}

}  // namespace grapnel::program
