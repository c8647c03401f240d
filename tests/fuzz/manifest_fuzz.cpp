// Any bytes as a plugin.json: refused with a ConfigError, or understood the same way a second time.
#include <grapnel/base/error.h>
#include <grapnel/host/manifest.h>

#include "fuzz_target.h"

namespace manifest_fuzz {

using namespace grapnel;
using fuzz::require;

GRAPNEL_FUZZ_TARGET(manifest) {
  try {
    const host::Manifest manifest = host::parse_manifest(fuzz::as_text(bytes), "plugin.json");
    const host::Manifest again = host::parse_manifest(manifest.text, "plugin.json");
    require(again.id == manifest.id && again.version == manifest.version);
    require(again.callbacks.size() == manifest.callbacks.size());
    (void)host::incompatibility(manifest);
    for (const host::CallbackManifest& callback : manifest.callbacks) {
      (void)callback.parameters.to_help();
      (void)callback.parameters.to_schema();
    }
  } catch (const ConfigError&) {
  }
}

}  // namespace manifest_fuzz
