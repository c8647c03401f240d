/* Extension thread: from a thread of the plugin back to the training's.
 *
 * A plugin's own thread can't use the [train-thread] services. It posts a function instead, which
 * the host calls on the training thread, within a call to the instance, where all services answer
 * that the hook itself has.
 */
#ifndef GRAPNEL_EXT_THREAD_H_
#define GRAPNEL_EXT_THREAD_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_THREAD "grapnel.thread/1"

/* Most functions of one instance that wait. */
#define GRAPNEL_THREAD_MAX_POSTED 65536

/* One posted function. data: as it was posted. [train-thread] */
typedef int32_t(GRAPNEL_CALL* grapnel_posted)(grapnel_instance* instance, void* data);

typedef struct grapnel_thread {
  uint32_t struct_size;
  uint32_t reserved;
  /* After GRAPNEL_OK exactly one of run and drop is called, once, on the training thread, in the
   * order of posting:
   *   run   before the instance's next hook. An instance that asked for this extension in create or
   *         init has one at every batch's start and end, at the end of an epoch and in on_run_end,
   *         whatever hooks it lists. Its status is a hook's: a failure fails the run, or disables
   *         the plugin. What it posts itself waits for the next hook.
   *   drop  when the instance ends, or was disabled, before that: right before destroy, to free
   *         data. Its status is ignored. May be NULL.
   * GRAPNEL_NOT_NOW once destroy was called, or while GRAPNEL_THREAD_MAX_POSTED functions wait:
   * neither is called. GRAPNEL_INVALID_ARGUMENT when run is NULL. [any-thread] */
  int32_t(GRAPNEL_CALL* post)(const grapnel_host* host, grapnel_posted run, grapnel_posted drop,
                              void* data);
} grapnel_thread;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_THREAD_H_ */
