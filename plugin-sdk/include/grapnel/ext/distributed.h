/* Extension distributed: the processes of a training, and their collective operations.
 *
 * Hosts of this release train in one process: rank 0 of 1, every collective leaves its tensor as it
 * is. Arguments are checked all the same. In a host of several processes a collective waits until
 * all of them call it, in the same hook and order: call it on every rank or on none.
 */
#ifndef GRAPNEL_EXT_DISTRIBUTED_H_
#define GRAPNEL_EXT_DISTRIBUTED_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_DISTRIBUTED "grapnel.distributed/1"

/* How all_reduce combines the elements. */
#define GRAPNEL_REDUCE_SUM 0
#define GRAPNEL_REDUCE_MEAN 1 /* floating-point tensors only */
#define GRAPNEL_REDUCE_MIN 2
#define GRAPNEL_REDUCE_MAX 3

/* Growable, the host's, valid until destroy. */
typedef struct grapnel_process_info {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t rank;       /* of this process, from 0 */
  int64_t world_size; /* processes, at least 1 */
  int64_t local_rank; /* of this process on its machine, from 0 */
} grapnel_process_info;

/* tensor: dense, of the plugin's own; a tensor of the model is GRAPNEL_INVALID_ARGUMENT. */
typedef struct grapnel_distributed {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* info)(const grapnel_host* host, const grapnel_process_info** info);
  /* Waits until every process is here. */
  int32_t(GRAPNEL_CALL* barrier)(const grapnel_host* host);
  /* In place; afterwards the same in all processes. reduction: GRAPNEL_REDUCE_...;
   * GRAPNEL_UNSUPPORTED for another. */
  int32_t(GRAPNEL_CALL* all_reduce)(const grapnel_host* host, grapnel_tensor* tensor,
                                    int32_t reduction);
  /* In place: that of the process `source`, GRAPNEL_INVALID_ARGUMENT unless below world_size. */
  int32_t(GRAPNEL_CALL* broadcast)(const grapnel_host* host, grapnel_tensor* tensor,
                                   int64_t source);
} grapnel_distributed;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_DISTRIBUTED_H_ */
