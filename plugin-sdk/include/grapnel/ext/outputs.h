/* Extension outputs: the results of a step.
 */
#ifndef GRAPNEL_EXT_OUTPUTS_H_
#define GRAPNEL_EXT_OUTPUTS_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_OUTPUTS "grapnel.outputs/1"

typedef struct grapnel_step_outputs {
  uint32_t struct_size;
  uint32_t reserved;
  /* The loss as a number, fetched from its device once per step. In training it is divided
   by accumulate_grad_batches. GRAPNEL_NOT_FOUND when the step returned none. */
  int32_t(GRAPNEL_CALL* loss)(const grapnel_host* host, const grapnel_outputs* outputs,
                              double* value);
  /* GRAPNEL_NOT_FOUND when the step returned none. */
  int32_t(GRAPNEL_CALL* loss_tensor)(const grapnel_host* host, const grapnel_outputs* outputs,
                                     grapnel_tensor** owned);
  /* The named extras next to the loss, or the tensors of a prediction. The text of a name is valid
   * until the hook returns. */
  int32_t(GRAPNEL_CALL* count)(const grapnel_host* host, const grapnel_outputs* outputs,
                               uint64_t* count);
  int32_t(GRAPNEL_CALL* name)(const grapnel_host* host, const grapnel_outputs* outputs,
                              uint64_t index, grapnel_string* name);
  int32_t(GRAPNEL_CALL* get)(const grapnel_host* host, const grapnel_outputs* outputs,
                             uint64_t index, grapnel_tensor** owned);
} grapnel_step_outputs;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_OUTPUTS_H_ */
