#include "callbacks/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/platform.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace fs = std::filesystem;

void link_checkpoint(const fs::path& file, const fs::path& link) {
  const fs::path target = fs::absolute(file).lexically_normal();
  const fs::path place = fs::absolute(link).lexically_normal();
  if (target == place) return;
  if (fs::symlink_status(place).type() == fs::file_type::directory) {
    throw IoError("make a link at", place, 0, "a directory is in the way; move it elsewhere");
  }
  // Made next to its final path and renamed: a reader finds the old one or the new one.
  const fs::path temporary = place.parent_path() / ("." + place.filename().string() + ".new");
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_symlink(target.lexically_relative(place.parent_path()), temporary, error);
  if (error) {
    fs::copy_file(target, temporary, fs::copy_options::overwrite_existing, error);
    if (error) throw IoError("link or copy", target, error.value());
  }
  try {
    replace_file(temporary, place);
  } catch (...) {
    fs::remove(temporary, error);
    throw;
  }
}

void remove_checkpoint(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error) {
    log_warning("cannot remove the checkpoint {}, which is no longer needed: {}",
                quote(display_path(file)), error.message());
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
