// The manifest that belongs to the bytes that will run.
#pragma once

#include <memory>

#include <grapnel/host/discovery.h>
#include <grapnel/host/manifest.h>
#include <grapnel/host/store.h>

namespace grapnel::host {

// The manifest of a candidate whose library was put into the store as `copy`: from the copy if it
// is embedded, else from the file next to the library, which must not have changed since it was
// examined. PluginError when it has; ConfigError, DataError or IoError when it can't be read.
[[nodiscard]] std::shared_ptr<const Manifest> manifest_of_copy(const Candidate& candidate,
                                                               const StoredFile& copy);

}  // namespace grapnel::host
