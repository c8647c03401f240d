// Checkpointing's files: written at once or by a thread, and in another place where theirs fails.
#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/platform.h"
#include "grapnel/base/process.h"
#include "grapnel/base/text.h"
#include "grapnel/checkpoint.h"
#include "run/checkpointing.h"
#include "run/run.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

// The device of a directory, or of the nearest above it that exists.
std::optional<std::uint64_t> device_of(fs::path directory) {
  for (;; directory = directory.parent_path()) {
    try {
      if (const auto found = file_identity(directory)) return found->device;
    } catch (const IoError&) {
      return std::nullopt;
    }
    if (directory == directory.parent_path()) return std::nullopt;
  }
}

// Where to write what can't be written to `failed`: other disks first, and places that stay before
// the directory for temporary files.
std::vector<fs::path> other_places(const fs::path& failed, const fs::path& root) {
  std::error_code error;
  const fs::path full = fs::absolute(failed, error).parent_path();
  std::vector<fs::path> places;
  for (const fs::path& place :
       {fs::absolute(root, error), fs::current_path(error), fs::temp_directory_path(error)}) {
    const bool is_known = place.empty() || place.lexically_normal() == full.lexically_normal() ||
                          std::find(places.begin(), places.end(), place) != places.end();
    if (!is_known) places.push_back(place);
  }
  const auto device = device_of(full);
  std::stable_partition(places.begin(), places.end(),
                        [&](const fs::path& place) { return device_of(place) != device; });
  return places;
}

}  // namespace

bool Checkpointing::saves_in_a_thread() const {
  return run_.options.checkpoint_saving == CheckpointSaving::asynchronous && run_.fitting() &&
         run_.state.status == Status::running;
}

// The path while what is gathered for it; a failure ends that, too.
class Checkpointing::Making {
 public:
  Making(fs::path& making, const fs::path& path) : making_(making) { making_ = path; }
  ~Making() { making_.clear(); }
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;

 private:
  fs::path& making_;
};

fs::path Checkpointing::in_the_making() const {
  if (!making_.empty()) return making_;
  return writer_.is_active() ? writer_.path() : fs::path();
}

void Checkpointing::save(const fs::path& path, bool weights_only) {
  finish();
  {
    const Making making(making_, path);
    write_now(path, weights_only);
  }
  note_written(path);
}

void Checkpointing::write_now(const fs::path& path, bool weights_only) {
  try {
    write_with_directory(path, checkpoint_parts(path, dump(weights_only), Sharing::aliases));
  } catch (const IoError&) {
    note_failure(path);
    throw;
  }
}

void Checkpointing::start(const fs::path& path, bool weights_only) {
  if (!saves_in_a_thread()) return save(path, weights_only);
  finish();
  try {
    create_parent_directories(path);
  } catch (const IoError&) {
    note_failure(path);
    throw;
  }
  const Making making(making_, path);
  writer_.start(path, checkpoint_parts(path, dump(weights_only), Sharing::snapshot));
}

void Checkpointing::after(std::function<void()> done, std::function<void()> failed) {
  if (!writer_.is_active()) return done();
  following_.push_back({std::move(done), std::move(failed)});
}

void Checkpointing::finish() {
  if (!writer_.is_active()) return;
  const fs::path path = writer_.path();
  const std::vector<Following> following = std::exchange(following_, {});
  try {
    writer_.finish();
  } catch (const std::exception& error) {
    if (dynamic_cast<const IoError*>(&error) != nullptr) note_failure(path);
    for (const Following& each : following) {
      if (each.failed) each.failed();
    }
    throw;
  }
  note_written(path);
  for (const Following& each : following) each.done();
}

void Checkpointing::note_written(const fs::path& path) {
  unwritten_.clear();
  CheckpointWritten event{run_.event(), path};
  run_.hooks.on_checkpoint_written(event);
}

void Checkpointing::rescue() {
  if (unwritten_.empty() || !run_.fitting() || !resumable_) return;
  const fs::path failed = std::exchange(unwritten_, {});
  const StateDict checkpoint = dump(/*weights_only=*/false);
  for (const fs::path& place : other_places(failed, run_.options.default_root_dir)) {
    const fs::path path =
        place / fmt::format("rescued-{}-{}", process_id(), failed.filename().string());
    try {
      make_directories(place);
      save_checkpoint_file(path, checkpoint);
    } catch (const IoError&) {
      continue;
    }
    log_warning("the state of step {} was saved to {} instead of {}; resume from it",
                run_.global_step(), quote(display_path(path)), quote(display_path(failed)));
    return;
  }
  log_warning("the state of step {} could not be saved anywhere else either", run_.global_step());
}

}  // namespace grapnel
