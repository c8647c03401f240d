// Any bytes as a section of ELF notes: refused with a DataError, or without a manifest, or with one that
// lies within them.
#include <grapnel/base/error.h>
#include <grapnel/host/manifest.h>

#include <optional>
#include <string>

#include "fuzz_target.h"
#include "library_formats.h"

namespace manifest_note_fuzz {

using namespace grapnel;
using fuzz::require;

GRAPNEL_FUZZ_TARGET(manifest_note) {
  try {
    const std::optional<std::string> manifest = host::find_manifest_note(bytes);
    if (!manifest) return;
    require(manifest->size() <= host::max_manifest_bytes);
    require(fuzz::as_text(bytes).find(*manifest) != std::string_view::npos);
  } catch (const DataError&) {
  }
}

}  // namespace manifest_note_fuzz
