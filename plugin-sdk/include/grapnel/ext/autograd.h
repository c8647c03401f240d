/* Extension autograd: adds terms to the loss before the backward pass.
 *
 * Only in on_before_backward of a Trainer, else every function returns GRAPNEL_NOT_NOW. A term is
 * computed with the operators of ext/aten.h between begin_recording and end_recording, from the
 * model's parameters (ext/module.h) or the loss, with their gradients:
 *
 *   begin_recording; square(weight); sum(...); mul(..., 1e-4); end_recording; add_term("l2", ...)
 *
 * The gradients are then those of loss + terms. Like the loss, the terms of a batch are divided by
 * accumulate_grad_batches and multiplied by the scale of precision 16-mixed: give the term of one
 * batch as it is. The loss that was logged, and that later hooks see, stays without the terms.
 *
 * The backward pass frees the graph of what was recorded: record a term anew in each call.
 *
 * In manual optimization the hook comes with every manual_backward of a batch, the loss is the one
 * that manual_backward got, and nothing is divided: a term that is added each time counts each time.
 */
#ifndef GRAPNEL_EXT_AUTOGRAD_H_
#define GRAPNEL_EXT_AUTOGRAD_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_AUTOGRAD "grapnel.autograd/1"

typedef struct grapnel_autograd {
  uint32_t struct_size;
  uint32_t reserved;
  /* Operators of this instance record gradients until end_recording, at the latest until the hook
   * returns. GRAPNEL_INVALID_ARGUMENT when they do already. */
  int32_t(GRAPNEL_CALL* begin_recording)(const grapnel_host* host);
  /* GRAPNEL_INVALID_ARGUMENT when they don't. */
  int32_t(GRAPNEL_CALL* end_recording)(const grapnel_host* host);
  /* The loss as training_step returned it or manual_backward got it, neither divided nor scaled, with
   * its graph. */
  int32_t(GRAPNEL_CALL* step_loss)(const grapnel_host* host, grapnel_tensor** owned);
  /* name: 1 to 512 bytes, for messages. term: a floating-point tensor with one element, on the
   * loss's device, recorded in this call from what requires gradients, with a finite value; else the
   * call fails with GRAPNEL_PENDING, and the failure names the term. Waits for the device. */
  int32_t(GRAPNEL_CALL* add_term)(const grapnel_host* host, grapnel_string name,
                                  const grapnel_tensor* term);
} grapnel_autograd;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_AUTOGRAD_H_ */
