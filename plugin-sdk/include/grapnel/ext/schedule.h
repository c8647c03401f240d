/* Extension schedule: factors on the learning rates of the optimizers' groups.
 *
 * The rate of a step is the group's option "lr", as the optimizer and the run's schedulers made it,
 * times the factors of all callbacks, in the order of the callbacks. "lr" itself stays as it is:
 * schedulers, optimizers.get_option and checkpoints see it without factors. LearningRateMonitor logs
 * the rate of the next step, factors included.
 *
 * A factor holds from the next optimizer step on until it is set again, through validations and
 * further runs. The host keeps the factors with the instance's state in checkpoints: a training that
 * resumes has them again once the states are loaded. They end with the instance, and when the
 * plugin is disabled after a failure. A factor for the next step, set in on_train_start and
 * on_after_optimizer_step, is what monitors show at the start of a batch.
 */
#ifndef GRAPNEL_EXT_SCHEDULE_H_
#define GRAPNEL_EXT_SCHEDULE_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_SCHEDULE "grapnel.schedule/1"

/* Instead of a number. Of all optimizers, the group must be GRAPNEL_SCHEDULE_ALL too. */
#define GRAPNEL_SCHEDULE_ALL (-1)

/* All functions: GRAPNEL_NOT_NOW before a run, GRAPNEL_NOT_FOUND for an optimizer or group that does
 * not exist. Both are numbered from 0. */
typedef struct grapnel_schedule {
  uint32_t struct_size;
  uint32_t reserved;
  /* factor: finite, at least 0, else GRAPNEL_INVALID_ARGUMENT; 1: none. Of several calls the last
   * counts: GRAPNEL_SCHEDULE_ALL replaces what was set for single groups, a single group afterwards
   * makes an exception. In on_before_optimizer_step still for the step to come. */
  int32_t(GRAPNEL_CALL* set_factor)(const grapnel_host* host, int64_t optimizer, int64_t group,
                                    double factor);
  /* This instance's own; 1 where it set none. */
  int32_t(GRAPNEL_CALL* get_factor)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                                    double* factor);
  /* Of the next step: "lr" times the factors of all callbacks; 0 for a group without "lr".
   * GRAPNEL_PENDING when the product is above 3.4e38, where float32 is infinite: the step would fail
   * for the same reason. */
  int32_t(GRAPNEL_CALL* rate)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                              double* rate);
} grapnel_schedule;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_SCHEDULE_H_ */
