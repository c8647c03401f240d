#include "callbacks/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <span>
#include <system_error>
#include <vector>

#include "checkpoints/checkpoint_writer.h"
#include "grapnel/base/checkpoint_file.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/platform.h"
#include "grapnel/base/text.h"
#include "values/directory_listing.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

// A file system without symbolic links.
bool has_no_links(int error_number) {
  return error_number == EPERM || error_number == ENOSYS || error_number == ENOTSUP ||
         error_number == EOPNOTSUPP;
}

void repeat_once(const std::function<void()>& act) {
  try {
    return act();
  } catch (const IoError& error) {
    if (!may_pass(error)) throw;
    log_info("{}; trying once more", error.what());
  }
  act();
}

}  // namespace

void link_checkpoint(const fs::path& file, const fs::path& link) {
  const fs::path target = fs::absolute(file).lexically_normal();
  const fs::path place = fs::absolute(link).lexically_normal();
  if (target == place) return;
  if (fs::symlink_status(place).type() == fs::file_type::directory) {
    throw IoError("make a link at", place, 0, "a directory is in the way; move it elsewhere");
  }
  try {
    repeat_once([&] { replace_link(target.lexically_relative(place.parent_path()), place); });
  } catch (const IoError& error) {
    if (!has_no_links(error.error_number)) throw;
    copy_checkpoint(target, place);
  }
}

void copy_checkpoint(const fs::path& file, const fs::path& copy) {
  repeat_once([&] {
    File from = File::open(file, OpenMode::read);
    AtomicFile to(copy);
    std::vector<std::byte> buffer(size_t{1} << 20);
    while (const size_t count = from.read(buffer)) to.write(std::span(buffer).first(count));
    to.commit();
  });
}

bool remove_checkpoint(const fs::path& file) {
  const std::error_code error = remove_file(file);
  if (!error) return true;
  log_once("cannot-remove/" + file.string(), LogLevel::warning,
           "cannot remove the checkpoint {}, which is no longer needed: {}",
           quote(display_path(file)), error.message());
  return false;
}

std::optional<std::int64_t> step_of_checkpoint(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return {};
  try {
    const CheckpointFile opened = CheckpointFile::open(file, CheckpointCheck::on_use);
    const ConfigValue* step = find_by_path(opened.document(), "checkpoint.global_step");
    return step == nullptr ? std::nullopt : std::optional(step->as_int());
  } catch (const Error&) {
    return {};
  }
}

std::string best_of_checkpoint(const fs::path& file, const std::string& state_key) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return {};
  try {
    const CheckpointFile opened = CheckpointFile::open(file, CheckpointCheck::on_use);
    const ConfigValue* states = find_by_path(opened.document(), "checkpoint.callbacks");
    const ConfigValue* own = states == nullptr ? nullptr : states->find(state_key);
    const ConfigValue* best = own == nullptr ? nullptr : own->find("best_model_path");
    return best == nullptr ? "" : fs::path(best->as_string()).filename().string();
  } catch (const Error&) {
    return {};
  }
}

bool would_remove(const fs::path& file, const fs::path& kept) {
  std::error_code error;
  const auto place = [&](const fs::path& path) {
    const fs::path absolute = fs::absolute(path).lexically_normal();
    return fs::weakly_canonical(absolute.parent_path(), error) / absolute.filename();
  };
  if (place(file) == place(kept)) return true;
  return !fs::is_symlink(file, error) && fs::equivalent(file, kept, error);
}

bool is_last_of_another(const fs::path& file, const fs::path& own) {
  try {
    const std::vector<fs::path> paths = paths_in(file.parent_path());
    return std::any_of(paths.begin(), paths.end(), [&](const fs::path& path) {
      std::error_code error;
      return path.filename() != own.filename() && fs::is_symlink(path, error) &&
             fs::equivalent(path, file, error);
    });
  } catch (const IoError&) {
    return true;  // nobody can tell
  }
}

bool lies_below(const fs::path& file, const fs::path& directory) {
  const fs::path below = fs::absolute(file).lexically_normal();
  fs::path above = fs::absolute(directory).lexically_normal();
  if (!above.has_filename()) above = above.parent_path();
  const auto [end, rest] = std::mismatch(above.begin(), above.end(), below.begin(), below.end());
  return end == above.end() && rest != below.end();
}

fs::path resolved_directory(const fs::path& path) {
  fs::path expanded = path;
  const std::string text = path.string();
  if (text == "~" || text.starts_with("~/")) {
    if (const auto home = environment_variable("HOME"); home.has_value() && !home->empty()) {
      expanded = text.size() < 3 ? fs::path(*home) : fs::path(*home) / text.substr(2);
    }
  }
  return fs::weakly_canonical(fs::absolute(expanded));
}

}  // namespace grapnel
