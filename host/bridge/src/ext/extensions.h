// The tables behind grapnel_host.get_extension: one file and one line here per extension.
//
// They are constant and the same for every instance; a function finds its instance through the
// grapnel_host that it is called with.
#pragma once

#include <string_view>
#include <vector>

#include <grapnel/ext/layout.h>

namespace grapnel::bridge {

extern const grapnel_aten kAten;
extern const grapnel_autograd kAutograd;
extern const grapnel_batches kBatches;
extern const grapnel_checkpoint kCheckpoint;
extern const grapnel_device kDevice;
extern const grapnel_distributed kDistributed;
extern const grapnel_log kLog;
extern const grapnel_metrics kMetrics;
extern const grapnel_module kModule;
extern const grapnel_optimizers kOptimizers;
extern const grapnel_step_outputs kOutputs;
extern const grapnel_params kParams;
extern const grapnel_plugin_services kPlugin;
extern const grapnel_request kRequest;
extern const grapnel_schedule kSchedule;
extern const grapnel_tensors kTensors;
extern const grapnel_terminal kTerminal;
extern const grapnel_thread kThread;
extern const grapnel_timing kTiming;
extern const grapnel_trainer kTrainer;

// nullptr for an unknown id.
const void* extension_table(std::string_view id) noexcept;
// Ids of all of them, in alphabetical order.
std::vector<std::string_view> extension_ids();

}  // namespace grapnel::bridge
