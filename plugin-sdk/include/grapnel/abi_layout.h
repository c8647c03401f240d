/* Pins the layout of every struct of the ABI: a compiler that would lay one out otherwise stops
 * here. */
#ifndef GRAPNEL_ABI_LAYOUT_H_
#define GRAPNEL_ABI_LAYOUT_H_

#include "abi.h"

#if defined(__cplusplus)
#define GRAPNEL_LAYOUT(type, field, offset) \
  static_assert(offsetof(type, field) == (offset), #type "." #field " moved")
#define GRAPNEL_SIZE(type, size) static_assert(sizeof(type) == (size), #type " changed its size")
#else
#define GRAPNEL_LAYOUT(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " moved")
#define GRAPNEL_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " changed its size")
#endif

GRAPNEL_SIZE(void*, 8);
GRAPNEL_SIZE(grapnel_string, 16);
GRAPNEL_LAYOUT(grapnel_string, size, 8);

GRAPNEL_SIZE(grapnel_Event, 8);
GRAPNEL_LAYOUT(grapnel_Event, hook, 4);
GRAPNEL_SIZE(grapnel_InitEvent, 8);
GRAPNEL_SIZE(grapnel_StageEvent, 16);
GRAPNEL_LAYOUT(grapnel_StageEvent, run, 8);
GRAPNEL_SIZE(grapnel_TrainBatchStart, 24);
GRAPNEL_LAYOUT(grapnel_TrainBatchStart, batch, 8);
GRAPNEL_LAYOUT(grapnel_TrainBatchStart, batch_idx, 16);
GRAPNEL_SIZE(grapnel_TrainBatchEnd, 32);
GRAPNEL_LAYOUT(grapnel_TrainBatchEnd, batch, 8);
GRAPNEL_LAYOUT(grapnel_TrainBatchEnd, batch_idx, 16);
GRAPNEL_LAYOUT(grapnel_TrainBatchEnd, outputs, 24);
GRAPNEL_SIZE(grapnel_EvalBatchStart, 32);
GRAPNEL_LAYOUT(grapnel_EvalBatchStart, batch, 8);
GRAPNEL_LAYOUT(grapnel_EvalBatchStart, batch_idx, 16);
GRAPNEL_LAYOUT(grapnel_EvalBatchStart, dataloader_idx, 24);
GRAPNEL_SIZE(grapnel_EvalBatchEnd, 40);
GRAPNEL_LAYOUT(grapnel_EvalBatchEnd, batch, 8);
GRAPNEL_LAYOUT(grapnel_EvalBatchEnd, batch_idx, 16);
GRAPNEL_LAYOUT(grapnel_EvalBatchEnd, dataloader_idx, 24);
GRAPNEL_LAYOUT(grapnel_EvalBatchEnd, outputs, 32);
GRAPNEL_SIZE(grapnel_OptimizerEvent, 16);
GRAPNEL_LAYOUT(grapnel_OptimizerEvent, optimizer_idx, 8);
GRAPNEL_SIZE(grapnel_BackwardEvent, 16);
GRAPNEL_LAYOUT(grapnel_BackwardEvent, loss, 8);
GRAPNEL_SIZE(grapnel_ExceptionEvent, 40);
GRAPNEL_LAYOUT(grapnel_ExceptionEvent, type, 8);
GRAPNEL_LAYOUT(grapnel_ExceptionEvent, message, 24);
GRAPNEL_SIZE(grapnel_SaveCheckpoint, 8);
GRAPNEL_SIZE(grapnel_LoadCheckpoint, 8);
GRAPNEL_SIZE(grapnel_CheckpointWritten, 24);
GRAPNEL_LAYOUT(grapnel_CheckpointWritten, path, 8);
GRAPNEL_SIZE(grapnel_SignalEvent, 16);
GRAPNEL_LAYOUT(grapnel_SignalEvent, signal, 8);
GRAPNEL_SIZE(grapnel_RunEnd, 32);
GRAPNEL_LAYOUT(grapnel_RunEnd, outcome, 8);
GRAPNEL_LAYOUT(grapnel_RunEnd, reason, 16);

GRAPNEL_SIZE(grapnel_host, 56);
GRAPNEL_LAYOUT(grapnel_host, abi_minor, 4);
GRAPNEL_LAYOUT(grapnel_host, name, 8);
GRAPNEL_LAYOUT(grapnel_host, version, 24);
GRAPNEL_LAYOUT(grapnel_host, get_extension, 40);
GRAPNEL_LAYOUT(grapnel_host, fail, 48);
GRAPNEL_SIZE(grapnel_hook_entry, 24);
GRAPNEL_LAYOUT(grapnel_hook_entry, hook, 4);
GRAPNEL_LAYOUT(grapnel_hook_entry, flags, 8);
GRAPNEL_LAYOUT(grapnel_hook_entry, reserved, 12);
GRAPNEL_LAYOUT(grapnel_hook_entry, call, 16);
GRAPNEL_SIZE(grapnel_instance, 48);
GRAPNEL_LAYOUT(grapnel_instance, hook_count, 4);
GRAPNEL_LAYOUT(grapnel_instance, hooks, 8);
GRAPNEL_LAYOUT(grapnel_instance, self, 16);
GRAPNEL_LAYOUT(grapnel_instance, init, 24);
GRAPNEL_LAYOUT(grapnel_instance, destroy, 32);
GRAPNEL_LAYOUT(grapnel_instance, get_extension, 40);
GRAPNEL_SIZE(grapnel_factory, 32);
GRAPNEL_LAYOUT(grapnel_factory, callback, 8);
GRAPNEL_LAYOUT(grapnel_factory, create, 24);
GRAPNEL_SIZE(grapnel_plugin, 40);
GRAPNEL_LAYOUT(grapnel_plugin, abi_minor, 4);
GRAPNEL_LAYOUT(grapnel_plugin, factory_count, 8);
GRAPNEL_LAYOUT(grapnel_plugin, factories, 16);
GRAPNEL_LAYOUT(grapnel_plugin, manifest, 24);
GRAPNEL_LAYOUT(grapnel_plugin, get_extension, 32);

#endif /* GRAPNEL_ABI_LAYOUT_H_ */
