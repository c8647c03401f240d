#include "copied_manifest.h"

#include <fmt/format.h>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/platform.h>
#include <grapnel/host/library_file.h>

namespace grapnel::host {
namespace {

[[noreturn]] void refuse_changed(const Candidate& candidate) {
  throw PluginError(fmt::format("the manifest of plugin {} changed while it was "
                                "read; check it and repeat the command",
                                candidate.describe()),
                    {candidate.summary.id, candidate.summary.version, {}, {}});
}

}  // namespace

std::shared_ptr<const Manifest> manifest_of_copy(const Candidate& candidate,
                                                 const StoredFile& copy) {
  if (candidate.manifest_file.empty()) {
    const LibraryFacts facts = read_library_file(copy.path);
    if (!facts.manifest) refuse_changed(candidate);
    if (candidate.manifest && candidate.manifest->text == *facts.manifest)
      return candidate.manifest;
    return std::make_shared<const Manifest>(
        parse_manifest(*facts.manifest, "plugin.json in " + copy.path.filename().string()));
  }
  const auto check_same = [&] {
    const auto identity = file_identity(candidate.manifest_file, Links::refuse);
    if (identity != candidate.manifest_identity) refuse_changed(candidate);
  };
  check_same();
  std::shared_ptr<const Manifest> manifest = read_manifest(candidate);
  check_same();
  return manifest;
}

}  // namespace grapnel::host
