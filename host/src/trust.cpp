#include <grapnel/host/trust.h>

#include <fmt/format.h>

#include <optional>

#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>

#include "platform.h"

namespace grapnel::host {
namespace {

// "the directory '/srv/shared' is writable by others (mode 0777); ..."; empty when it is trusted.
std::string entry_refusal(const std::filesystem::path& path, const FileIdentity& identity,
                          std::string_view what) {
  const std::string name = quote(path.string());
  if (!identity.owned_by_us) {
    return fmt::format(
        "the {} {} belongs to another user (id {}), who could replace the plugin; copy "
        "the plugin to a directory of yours, or change the owner to yourself or root",
        what, name, identity.owner);
  }
  if (!identity.writable_by_others || identity.sticky || is_own_group_only(path)) return {};
  const std::string mode =
      identity.mode == 0 ? std::string() : fmt::format(" (mode {:04o})", identity.mode);
  return fmt::format(
      "the {} {} is writable by others{}, who could "
      "replace the plugin; to prevent that: chmod go-w {}",
      what, name, mode, name);
}

}  // namespace

std::string TrustChecker::directory_refusal(const std::filesystem::path& directory) {
  if (const auto known = directories_.find(directory.string()); known != directories_.end()) {
    return known->second;
  }
  std::string refusal;
  const std::filesystem::path parent = directory.parent_path();
  if (parent != directory) refusal = directory_refusal(parent);
  if (refusal.empty()) {
    const std::optional<FileIdentity> identity = file_identity(directory, Links::refuse);
    if (!identity || identity->kind != FileKind::directory) {
      refusal = fmt::format("{} is not a directory", quote(directory.string()));
    } else {
      refusal = entry_refusal(directory, *identity, "directory");
    }
  }
  directories_.emplace(directory.string(), refusal);
  return refusal;
}

std::string TrustChecker::refusal(const std::filesystem::path& file) {
  const std::optional<FileIdentity> identity = file_identity(file, Links::refuse);
  if (!identity) return fmt::format("the file {} does not exist", quote(file.string()));
  return refusal(file, *identity);
}

std::string TrustChecker::refusal(const std::filesystem::path& file, const FileIdentity& identity) {
  if (identity.kind != FileKind::regular) {
    return fmt::format("{} is not a regular file; a plugin is a shared library",
                       quote(file.string()));
  }
  if (std::string refusal = directory_refusal(file.parent_path()); !refusal.empty()) return refusal;
  FileIdentity plain = identity;
  plain.sticky = false;  // has a meaning only for directories
  return entry_refusal(file, plain, "file");
}

}  // namespace grapnel::host
