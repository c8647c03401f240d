// Any bytes as a plugin.json: refused with a ConfigError, or understood the same way a second time.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <grapnel/base/error.h>
#include <grapnel/host/manifest.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace grapnel;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const host::Manifest manifest = host::parse_manifest(text, "plugin.json");
    const host::Manifest again = host::parse_manifest(manifest.text, "plugin.json");
    if (again.id != manifest.id || again.callbacks.size() != manifest.callbacks.size()) {
      std::abort();
    }
    (void)host::incompatibility(manifest);
    for (const host::CallbackManifest& callback : manifest.callbacks) {
      (void)callback.parameters.to_help();
    }
  } catch (const ConfigError&) {
  }
  return 0;
}
