// Every plugin.json on a page is a manifest that the host accepts without a warning.
#include <grapnel/host/manifest.h>

#include <filesystem>

#include "captured_log.h"
#include "catch.h"
#include "temp_dir.h"

namespace manifests_test {

using namespace grapnel;

TEST_CASE("every plugin.json on a page is a manifest without mistakes") {
  int found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(PAGE_SOURCES)) {
    if (entry.path().filename() != "plugin.json") continue;
    CAPTURE(entry.path());
    const test::CapturedLog log;
    const host::Manifest manifest =
        host::parse_manifest(test::read_file(entry.path()), entry.path().string());
    CHECK_FALSE(manifest.callbacks.empty());
    CHECK(log.text().empty());
    ++found;
  }
  CHECK(found > 0);
}

}  // namespace manifests_test
