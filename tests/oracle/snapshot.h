// Snapshots: what a case wants to see at the start of each epoch, or batch, and at the end.
#pragma once

#include <grapnel/module.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "journal.h"

namespace grapnel::oracle {

// Appends one to the journal, if the case takes any there. at: "epoch_start", "batch_start" (only
// with "snapshot_batches"), "end".
void take_snapshot(std::string_view at, std::optional<std::int64_t> batch_idx, Journal& journal,
                   Module& module);

}  // namespace grapnel::oracle
