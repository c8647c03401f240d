#include "grapnel/checkpoint_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <optional>
#include <system_error>
#include <tuple>
#include <utility>

#include "grapnel/base/checkpoint_file.h"
#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "values/directory_listing.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

// A file and how far its training had come.
struct Standing {
  fs::path file;
  int64_t global_step = 0;
  int64_t epoch = 0;
  int64_t batches = 0;  // done in that epoch
  bool named_last = false;
  fs::file_time_type written;
  bool weights_only = false;

  bool is_before(const Standing& other) const {
    const auto order = [](const Standing& s) {
      return std::tie(s.global_step, s.epoch, s.batches, s.named_last, s.written);
    };
    return order(*this) < order(other);
  }
};

int64_t counter(const ConfigValue& document, const char* path) {
  const ConfigValue* value = find_by_path(document, path);
  return value != nullptr && value->is_integer() ? value->as_int() : 0;
}

Standing standing_of(const CheckpointFile& file) {
  const fs::path& path = file.path();
  const ConfigValue& document = file.document();
  if (find_by_path(document, "checkpoint.global_step") == nullptr) {
    throw CheckpointError(path, "its document is not a checkpoint's: it has no global_step");
  }
  std::error_code error;
  Standing standing;
  standing.file = path;
  standing.global_step = counter(document, "checkpoint.global_step");
  standing.epoch = counter(document, "checkpoint.epoch");
  standing.batches =
      counter(document, "checkpoint.loops.fit_loop.batch_progress.current.completed");
  standing.named_last = path.filename().string().starts_with("last");
  standing.written = fs::last_write_time(path, error);
  standing.weights_only = find_by_path(document, "checkpoint.optimizer_states") == nullptr;
  return standing;
}

// Without further names of the same file: a file rather than a link to it. Links to nothing go.
std::vector<fs::path> each_once(const std::vector<fs::path>& files) {
  std::vector<std::pair<fs::path, fs::path>> known;  // where it leads, the name to use
  std::error_code error;
  for (const fs::path& file : files) {
    const fs::path place = fs::canonical(file, error);
    if (error) continue;
    const auto same = std::find_if(known.begin(), known.end(),
                                   [&](const auto& other) { return other.first == place; });
    if (same == known.end()) {
      known.emplace_back(place, file);
    } else if (fs::is_symlink(same->second, error)) {
      same->second = file;
    }
  }
  std::vector<fs::path> once;
  for (auto& [place, name] : known) once.push_back(std::move(name));
  return once;
}

}  // namespace

CheckpointChoice last_checkpoint(const std::vector<fs::path>& files, CheckpointUse use) {
  CheckpointChoice choice;
  std::exception_ptr unreadable;
  const auto leave_out = [&](const Error& error) {
    choice.left_out.emplace_back(error.what());
    if (dynamic_cast<const IoError*>(&error) != nullptr) unreadable = std::current_exception();
  };
  std::vector<Standing> standings;
  // The last so far stays open: a training may remove it before it is verified.
  std::optional<CheckpointFile> last;
  std::optional<Standing> last_standing;
  for (const fs::path& path : each_once(files)) {
    try {
      CheckpointFile file = CheckpointFile::open(path, CheckpointCheck::on_use);
      Standing standing = standing_of(file);
      const bool usable = use == CheckpointUse::weights || !standing.weights_only;
      if (usable && (!last_standing || last_standing->is_before(standing))) {
        last.emplace(std::move(file));
        last_standing = standing;
      }
      standings.push_back(std::move(standing));
    } catch (const IoError& error) {
      // Removed meanwhile, by the training that wrote it.
      if (error.error_number != ENOENT) leave_out(error);
    } catch (const Error& error) {
      leave_out(error);
    }
  }
  std::sort(standings.begin(), standings.end(),
            [](const Standing& a, const Standing& b) { return b.is_before(a); });
  for (const Standing& standing : standings) {
    if (use == CheckpointUse::resume && standing.weights_only) {
      choice.left_out.push_back(fmt::format(
          "checkpoint {}: it holds only the model's weights, so a training can't resume "
          "from it",
          quote(standing.file.string())));
      continue;
    }
    try {
      if (last && last->path() == standing.file) {
        last->verify();
      } else {
        (void)CheckpointFile::open(standing.file, CheckpointCheck::whole_file);
      }
    } catch (const IoError& error) {
      if (error.error_number != ENOENT) leave_out(error);
      continue;
    } catch (const Error& error) {
      leave_out(error);
      continue;
    }
    choice.file = standing.file;
    for (const Standing& other : standings) {
      // As after a resume from an earlier checkpoint.
      if (!other.named_last || other.global_step >= standing.global_step) continue;
      if (other.written <= standing.written) continue;
      choice.left_out.push_back(
          fmt::format("checkpoint {} was written later, but is at step {}, not at {}",
                      quote(other.file.string()), other.global_step, standing.global_step));
    }
    break;
  }
  if (choice.file.empty() && unreadable != nullptr) std::rethrow_exception(unreadable);
  return choice;
}

std::vector<fs::path> checkpoints_in(const fs::path& directory, const std::string& extension) {
  // A training that still runs may replace the files between the listing and a look at them.
  constexpr int kMostListings = 100;
  for (int listing = 1;; ++listing) {
    std::vector<fs::path> files;
    bool removed_meanwhile = false;
    std::error_code error;
    for (fs::path& file : paths_in(directory)) {
      const bool hidden = file.filename().string().starts_with('.');
      if (hidden || file.extension() != extension) continue;
      if (fs::is_regular_file(file, error)) {
        files.push_back(std::move(file));
      } else if (!fs::exists(fs::symlink_status(file, error))) {
        removed_meanwhile = true;
      }
    }
    if (!removed_meanwhile || listing == kMostListings) return files;
  }
}

}  // namespace grapnel
