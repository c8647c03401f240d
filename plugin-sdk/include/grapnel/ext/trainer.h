/* Extension trainer: the state of the run.
 *
 * One struct that the host updates: fetch the pointer once, read the fields in every hook.
 */
#ifndef GRAPNEL_EXT_TRAINER_H_
#define GRAPNEL_EXT_TRAINER_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_TRAINER "grapnel.trainer/1"

/* Growable, the host's; the pointer is the same until destroy, the values are those of the running
 * hook. [train-thread] */
typedef struct grapnel_trainer_state {
  uint32_t struct_size;
  int32_t run;             /* GRAPNEL_RUN_... */
  int32_t stage;           /* GRAPNEL_STAGE_...: what is running now */
  int32_t sanity_checking; /* flag: the short validation before the first epoch */
  int64_t global_step;     /* optimizer steps finished over all epochs; 0 before the first */
  int64_t current_epoch;   /* from 0 */
  int64_t batch_idx;       /* of the running stage, within its epoch and data loader; -1 before */
  int64_t max_epochs;      /* -1: no limit */
  int64_t max_steps;       /* -1: no limit */
  double max_time;         /* seconds of training, including those before a resume; -1: no limit */
  int64_t num_training_batches;    /* per epoch; -1 when unknown */
  int64_t accumulate_grad_batches; /* micro-batches per optimizer step */
  int32_t is_last_batch;           /* flag: of the training epoch */
  int32_t stop_requested;          /* flag */
  grapnel_string run_directory;    /* where logs and checkpoints of the run go; absolute */
  int32_t is_logging_step;         /* flag: the loggers write what the running training batch logs
                                      (log_every_n_steps); skip costly numbers otherwise */
  int32_t reserved;
} grapnel_trainer_state;

typedef struct grapnel_trainer {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* state)(const grapnel_host* host, const grapnel_trainer_state** state);
} grapnel_trainer;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_TRAINER_H_ */
