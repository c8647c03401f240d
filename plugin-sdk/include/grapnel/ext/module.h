/* Extension module: the model's parameters and buffers, and leases that replace them temporarily.
 *
 * The host undoes a lease when the run fails before the plugin ends it. A checkpoint written during
 * a lease has the training weights as the model's, and the leased ones in a section of their own.
 *
 * A pruned parameter keeps its name and its dense tensor, and gets a mask; the model computes with
 * their product. That begins in the middle of a training and may end with it.
 */
#ifndef GRAPNEL_EXT_MODULE_H_
#define GRAPNEL_EXT_MODULE_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_MODULE "grapnel.module/1"

#define GRAPNEL_MODULE_PARAMETERS 0
#define GRAPNEL_MODULE_BUFFERS 1

#if GRAPNEL_ABI_TARGET >= 5
/* How layers such as dropout behave in forward. */
#define GRAPNEL_FORWARD_AS_IS 0 /* each in the mode that it has now */
#define GRAPNEL_FORWARD_EVAL 1  /* all in eval mode */
#endif

/* Growable, the host's, valid until the generation changes; within the call that notices it, until
 * that call returns. */
typedef struct grapnel_module_entry {
  uint32_t struct_size;
  int32_t trainable;      /* flag: requires_grad; 0 for buffers */
  grapnel_string name;    /* "layers.0.weight" */
  grapnel_tensor* tensor; /* borrowed, always the live one: what is written to it trains */
  /* 1 for elements that stay, 0 for pruned ones, in the shape and type of tensor; NULL while the
   * parameter is not pruned, and for buffers. Borrowed, live (more elements may be pruned within a
   * generation), read only: operators read a copy of it. */
  grapnel_tensor* mask;
} grapnel_module_entry;

typedef struct grapnel_module {
  uint32_t struct_size;
  uint32_t reserved;
  /* Grows whenever entries or masks appear or vanish, or an entry changes its name, shape
   * or type. */
  int32_t(GRAPNEL_CALL* generation)(const grapnel_host* host, uint64_t* generation);
  /* kind: GRAPNEL_MODULE_...; entries in the model's order. */
  int32_t(GRAPNEL_CALL* count)(const grapnel_host* host, int32_t kind, uint64_t* count);
  /* GRAPNEL_NOT_FOUND when there is none at that index. */
  int32_t(GRAPNEL_CALL* entry)(const grapnel_host* host, int32_t kind, uint64_t index,
                               const grapnel_module_entry** entry);
  /* The gradient of a parameter; GRAPNEL_NOT_FOUND while it has none, GRAPNEL_INVALID_ARGUMENT when
   * there is no such parameter. */
  int32_t(GRAPNEL_CALL* grad)(const grapnel_host* host, uint64_t index, grapnel_tensor** owned);
  /* Replaces the entries' tensors by others of the same shape and type until end_lease: first those
   * of the parameters with the given indices, then those of the buffers. The host keeps the
   * tensors, the plugin its handles of them; they share no memory with the model. reason: for
   * people, "validate the average". GRAPNEL_NOT_NOW from on_before_zero_grad to
   * on_before_optimizer_step, in on_save_checkpoint, on_exception, on_signal and on_run_end; in
   * an event of a loop of the user's own (ext/event.h) the host can't see whether a backward pass or
   * a step is still to come: lease where the loop's author says that none is. Of several
   * leases of one entry, also of different plugins, the last taken counts; they may end in any
   * order. Masks apply on top of leases. */
  int32_t(GRAPNEL_CALL* lease_weights)(const grapnel_host* host, const uint64_t* parameters,
                                       uint64_t parameter_count, const uint64_t* buffers,
                                       uint64_t buffer_count, grapnel_tensor* const* tensors,
                                       grapnel_string reason, grapnel_lease** lease);
  /* GRAPNEL_NOT_FOUND when the host has undone it already, after a failure. A handle stays valid,
   * ended or not, until destroy. */
  int32_t(GRAPNEL_CALL* end_lease)(const grapnel_host* host, grapnel_lease* lease);
  /* Floating-point operations of one forward and backward pass over a batch; GRAPNEL_NOT_FOUND when
   * the model does not report them. */
  int32_t(GRAPNEL_CALL* flops_per_batch)(const grapnel_host* host, double* flops);
  /* The parameters with the given indices get no gradient until end_lease; those that have none
   * anyway stay as they are. Not in the hooks in which lease_weights answers GRAPNEL_NOT_NOW. Of
   * several leases of one parameter, also of different plugins, the last that ends counts. */
  int32_t(GRAPNEL_CALL* freeze)(const grapnel_host* host, const uint64_t* parameters,
                                uint64_t parameter_count, grapnel_string reason,
                                grapnel_lease** lease);
#if GRAPNEL_ABI_TARGET >= 5
  /* Runs the model on inputs, whose device and, for a "-true" precision, type the host adapts to the
   * model's. No gradients are recorded, no hooks are called and no observers of layers told; what it
   * changes is undone: registered buffers (running statistics), the modes of layers, the random
   * generators; not what a layer keeps in a member that is no buffer, such as a cache. Layers that
   * draw random numbers use the plugin's, as its operators do. mode: GRAPNEL_FORWARD_.... Writes
   * output_count outputs, the caller's to release and no part of the model; fewer than the model
   * returns are allowed, more are GRAPNEL_INVALID_ARGUMENT. GRAPNEL_UNSUPPORTED for another number of
   * inputs than this host's models take, which is 1. GRAPNEL_NOT_NOW in hooks without a model. What
   * the model throws is GRAPNEL_PENDING. */
  int32_t(GRAPNEL_CALL* forward)(const grapnel_host* host, int32_t mode,
                                 grapnel_tensor* const* inputs, uint64_t input_count,
                                 grapnel_tensor** outputs, uint64_t output_count);
#endif
} grapnel_module;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_MODULE_H_ */
