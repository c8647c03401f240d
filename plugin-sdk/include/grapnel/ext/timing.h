/* Extension timing: where the time of a fit goes.
 *
 * The host measures only for those that ask: from setup on for an instance that asked for this
 * extension in create or init, else from the first call of one of its functions in the fit on.
 * Phases exclude each other and add up to the total. Work that is queued on an accelerator counts
 * where the training waits for it. All functions: GRAPNEL_NOT_FOUND in runs other than a fit,
 * GRAPNEL_NOT_NOW before any, in create and init.
 */
#ifndef GRAPNEL_EXT_TIMING_H_
#define GRAPNEL_EXT_TIMING_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_TIMING "grapnel.timing/1"

#define GRAPNEL_PHASE_OTHER 0      /* hooks outside of validation, logging, checkpoints, the loop */
#define GRAPNEL_PHASE_DATA_WAIT 1  /* for the next training batch */
#define GRAPNEL_PHASE_TRANSFER 2   /* of it to the device */
#define GRAPNEL_PHASE_FORWARD 3    /* training_step */
#define GRAPNEL_PHASE_BACKWARD 4   /* the backward pass */
#define GRAPNEL_PHASE_OPTIMIZER 5  /* the update, clipping, and the hooks before it */
#define GRAPNEL_PHASE_VALIDATION 6 /* all of it, with its data and hooks; the sanity check too */

typedef struct grapnel_timing {
  uint32_t struct_size;
  uint32_t reserved;
  /* phase: GRAPNEL_PHASE_...; GRAPNEL_UNSUPPORTED for one that the host doesn't know. */
  int32_t(GRAPNEL_CALL* phase)(const grapnel_host* host, int32_t phase, double* seconds);
  /* Seconds since the measuring began, and of these within hooks of callbacks, which the phases
   * include: estimated from one call in 256 unless the run is profiled. */
  int32_t(GRAPNEL_CALL* total)(const grapnel_host* host, double* seconds, double* in_hooks);
  /* Training batches that ended in this time, and their samples. */
  int32_t(GRAPNEL_CALL* count)(const grapnel_host* host, int64_t* batches, int64_t* samples);
  /* Samples by the time without validation; 0 before the first batch has ended. */
  int32_t(GRAPNEL_CALL* samples_per_second)(const grapnel_host* host, double* rate);
} grapnel_timing;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_TIMING_H_ */
