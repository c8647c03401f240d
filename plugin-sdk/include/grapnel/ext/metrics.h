/* Extension metrics: logging metrics, and reading all logged ones.
 *
 * The trainer's rules apply: which hooks may log, what on_step and on_epoch mean, how a mean is
 * weighted by the batch size.
 */
#ifndef GRAPNEL_EXT_METRICS_H_
#define GRAPNEL_EXT_METRICS_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_METRICS "grapnel.metrics/1"

/* Flags of a record. Neither ON_STEP nor ON_EPOCH: the default of the running hook (training batch
 * hooks log per step, all others per epoch). */
#define GRAPNEL_METRIC_ON_STEP 1
#define GRAPNEL_METRIC_ON_EPOCH 2
#define GRAPNEL_METRIC_PROG_BAR 4  /* show it in the progress bar */
#define GRAPNEL_METRIC_NO_LOGGER 8 /* don't send it to the loggers */

/* How to log one record. Growable, made by the plugin; the host reads the fields that it has. */
typedef struct grapnel_metric_options {
  uint32_t struct_size;
  uint32_t flags;     /* GRAPNEL_METRIC_... */
  int64_t batch_size; /* weight in the epoch's mean; 0: the size of the batch */
} grapnel_metric_options;

typedef struct grapnel_metrics {
  uint32_t struct_size;
  uint32_t reserved;
  /* options: NULL for all defaults. */
  int32_t(GRAPNEL_CALL* log_f64)(const grapnel_host* host, grapnel_string name, double value,
                                 const grapnel_metric_options* options);
  /* tensor: a floating scalar; stays on its device until the number is needed. */
  int32_t(GRAPNEL_CALL* log_tensor)(const grapnel_host* host, grapnel_string name,
                                    const grapnel_tensor* tensor,
                                    const grapnel_metric_options* options);
  /* The latest logged value of a metric and its global step; GRAPNEL_NOT_FOUND before the first. */
  int32_t(GRAPNEL_CALL* get)(const grapnel_host* host, grapnel_string name, double* value,
                             int64_t* global_step);
  /* The names that get knows, in the order of their first values; the text is valid until the hook
   * returns. */
  int32_t(GRAPNEL_CALL* count)(const grapnel_host* host, uint64_t* count);
  int32_t(GRAPNEL_CALL* name)(const grapnel_host* host, uint64_t index, grapnel_string* name);
} grapnel_metrics;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_METRICS_H_ */
