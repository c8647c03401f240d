/* Extension metrics_sink: a logger. The plugin implements it, the host calls it.
 *
 *   begin             before the first record of a run
 *   hyperparameters   once, where the module or the data have some; again where more become known
 *   write             at the steps that are logged and at the ends of epochs: all records since the last
 *   end               once per begin, however the run ends
 *
 * A sink stands beside the loggers of the user and gets what they get, in fits, validations, tests and
 * predictions, but not with fast_dev_run or barebones. The training waits for each call: hand what is
 * slow, such as a network, to a thread of your own. A training is worth more than its logs: a sink that
 * fails is told once and at the end of the run, which continues, and is called with the next records.
 * The host doesn't repeat records. What a run logged after its last checkpoint comes again, with the
 * same steps, when it is resumed. No requests, no logging of metrics and no leases are possible in these
 * functions; all of them are [train-thread].
 */
#ifndef GRAPNEL_EXT_METRICS_SINK_H_
#define GRAPNEL_EXT_METRICS_SINK_H_

#include "aten.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_METRICS_SINK "grapnel.metrics_sink/1"

/* Flags of a record. */
#define GRAPNEL_RECORD_EVALUATION 1 /* logged in or after a validation or test */

/* Growable, the host's, valid until write returns. */
typedef struct grapnel_metric_record {
  uint32_t struct_size;
  uint32_t flags;      /* GRAPNEL_RECORD_... */
  grapnel_string name; /* "train_loss" */
  double value;        /* may be NaN or infinite */
  int64_t step;        /* the loggers' x-axis: batches after which an optimizer stepped */
  int64_t epoch;       /* from 0 */
  double time;         /* when it was logged: seconds since 1970-01-01 00:00 UTC */
} grapnel_metric_record;

/* Growable, the host's, valid until hyperparameters returns. */
typedef struct grapnel_hyperparameter {
  uint32_t struct_size;
  uint32_t reserved;
  grapnel_string name; /* of a nested one "optimizer.lr", of a list's item "layers.0" */
  grapnel_value value; /* NONE, BOOL, I64, F64 or STRING */
} grapnel_hyperparameter;

/* The plugin's, from grapnel_instance.get_extension. All but write may be NULL. */
typedef struct grapnel_metrics_sink {
  uint32_t struct_size;
  uint32_t reserved;
  /* A failure refuses the run, of which nothing is lost yet. */
  int32_t(GRAPNEL_CALL* begin)(grapnel_instance* instance);
  int32_t(GRAPNEL_CALL* hyperparameters)(grapnel_instance* instance,
                                         const grapnel_hyperparameter* const* parameters,
                                         uint64_t count);
  /* count: 1 or more, in the order in which they were logged. */
  int32_t(GRAPNEL_CALL* write)(grapnel_instance* instance,
                               const grapnel_metric_record* const* records, uint64_t count);
  /* outcome: GRAPNEL_OUTCOME_...; reason: of a stop or a failure; empty when finished. */
  int32_t(GRAPNEL_CALL* end)(grapnel_instance* instance, int32_t outcome, grapnel_string reason);
} grapnel_metrics_sink;

/* The host's, from grapnel_host.get_extension: it calls sinks. */
typedef struct grapnel_metrics_sink_support {
  uint32_t struct_size;
  uint32_t reserved;
} grapnel_metrics_sink_support;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_METRICS_SINK_H_ */
