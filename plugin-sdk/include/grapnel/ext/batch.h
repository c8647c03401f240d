/* Extension batch: the tensors that a step is about to see, or has seen.
 */
#ifndef GRAPNEL_EXT_BATCH_H_
#define GRAPNEL_EXT_BATCH_H_

#include "../abi.h"
#include "tensors.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_BATCH "grapnel.batch/1"

typedef struct grapnel_batches {
  uint32_t struct_size;
  uint32_t reserved;
  /* Number of tensors. */
  int32_t(GRAPNEL_CALL* count)(const grapnel_host* host, const grapnel_batch* batch,
                               uint64_t* count);
  /* Empty for a tensor without a name; the text is valid until the hook returns. */
  int32_t(GRAPNEL_CALL* name)(const grapnel_host* host, const grapnel_batch* batch, uint64_t index,
                              grapnel_string* name);
  /* Read-only: it may share memory with the data set. */
  int32_t(GRAPNEL_CALL* get)(const grapnel_host* host, const grapnel_batch* batch, uint64_t index,
                             grapnel_tensor** owned);
  /* The step sees the new tensor; the data set does not change. Only in ..._batch_start hooks, else
   * GRAPNEL_NOT_NOW. */
  int32_t(GRAPNEL_CALL* replace)(const grapnel_host* host, grapnel_batch* batch, uint64_t index,
                                 const grapnel_tensor* tensor);
  /* The samples' places in the data set; count 0 when unknown. Valid until the hook returns. */
  int32_t(GRAPNEL_CALL* sample_indices)(const grapnel_host* host, const grapnel_batch* batch,
                                        const int64_t** indices, uint64_t* count);
#if GRAPNEL_ABI_TARGET >= 5
  /* What a tensor is, without its elements: data is NULL, and get, which may copy, isn't needed. The
   * struct is valid until the next describe of a batch or the end of the hook. GRAPNEL_NOT_FOUND where
   * get has no tensor. */
  int32_t(GRAPNEL_CALL* describe)(const grapnel_host* host, const grapnel_batch* batch,
                                  uint64_t index, const grapnel_tensor_info** info);
#endif
} grapnel_batches;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_BATCH_H_ */
