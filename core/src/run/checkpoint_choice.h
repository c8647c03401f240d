// Which checkpoint a run loads.
#pragma once

#include <filesystem>

#include "grapnel/trainer.h"

namespace grapnel {

// Resolves "best", "last" and explicit paths, and what an empty ckpt_path amounts to; empty: none.
// The trainer's run has begun. module_given: false when the module of its last run is used. Throws
// ConfigError when there is no best checkpoint.
std::filesystem::path choose_checkpoint(const Trainer& trainer, const RunOptions& options,
                                        bool module_given);

}  // namespace grapnel
