/* Extension request: requests to the trainer to deviate from its plan.
 *
 * Requests of all callbacks are decided in one place, after the hook has returned, and logged with
 * their reason and their author, here the plugin.
 */
#ifndef GRAPNEL_EXT_REQUEST_H_
#define GRAPNEL_EXT_REQUEST_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_REQUEST "grapnel.request/1"

/* While a fit runs, until its teardown: end it after this batch; min_epochs and min_steps may defer it.
 * In a validation, test or prediction it returns GRAPNEL_OK and has no effect. */
#define GRAPNEL_REQUEST_STOP 1
/* In on_train_batch_start: no step on this batch. */
#define GRAPNEL_REQUEST_SKIP_BATCH 2
/* In on_before_optimizer_step: no update of the weights. */
#define GRAPNEL_REQUEST_SKIP_STEP 3
/* From on_train_epoch_start to the end of the epoch's last batch: goes to the end of the epoch; in
 * on_train_batch_start at once, elsewhere after this batch. */
#define GRAPNEL_REQUEST_END_EPOCH 4
/* From on_train_epoch_start to the end of the epoch's last batch, outside of a validation: runs the
 * validation after this batch. */
#define GRAPNEL_REQUEST_EVALUATE 5
/* From on_train_epoch_start to on_train_epoch_end: writes a checkpoint after this batch; in
 * on_train_epoch_end, after the epoch. */
#define GRAPNEL_REQUEST_SAVE 6

typedef struct grapnel_request {
  uint32_t struct_size;
  uint32_t reserved;
  /* kind: GRAPNEL_REQUEST_...; reason: for people, "loss is not finite". GRAPNEL_NOT_NOW where the
   * kind is not possible, with a warning that says where it is, and outside of a fit for all but a stop.
   * The rules are those for callbacks written in C++. [train-thread] */
  int32_t(GRAPNEL_CALL* request)(const grapnel_host* host, int32_t kind, grapnel_string reason);
} grapnel_request;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_REQUEST_H_ */
