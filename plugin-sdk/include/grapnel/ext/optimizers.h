/* Extension optimizers: their groups and options.
 *
 * All functions: GRAPNEL_NOT_NOW before a run, GRAPNEL_NOT_FOUND for an optimizer or group that
 * does not exist. Both are numbered from 0.
 */
#ifndef GRAPNEL_EXT_OPTIMIZERS_H_
#define GRAPNEL_EXT_OPTIMIZERS_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_OPTIMIZERS "grapnel.optimizers/1"

/* Growable, the host's, valid until the hook returns. */
typedef struct grapnel_optimizer_group {
  uint32_t struct_size;
  uint32_t option_count;
  grapnel_string name; /* empty: unnamed */
  uint64_t parameter_count;
  uint64_t reserved;
} grapnel_optimizer_group;

typedef struct grapnel_optimizers {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* count)(const grapnel_host* host, uint64_t* count);
  /* "Adam", "SGD"; the text is valid until the hook returns. */
  int32_t(GRAPNEL_CALL* name)(const grapnel_host* host, uint64_t optimizer, grapnel_string* name);
  int32_t(GRAPNEL_CALL* group_count)(const grapnel_host* host, uint64_t optimizer, uint64_t* count);
  int32_t(GRAPNEL_CALL* group)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                               const grapnel_optimizer_group** info);
  /* Names of a group's options: "lr", "momentum", "weight_decay", ...; the text is valid until the
   * hook returns. */
  int32_t(GRAPNEL_CALL* option_name)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                                     uint64_t index, grapnel_string* name);
  int32_t(GRAPNEL_CALL* get_option)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                                    grapnel_string name, double* value);
  /* Takes effect with the next step; a scheduler may overwrite it. GRAPNEL_NOT_FOUND for an option
   * that the group doesn't have, GRAPNEL_INVALID_ARGUMENT for a value that the optimizer itself would
   * refuse, by itself (a negative learning rate) or together with the group's others (nesterov without
   * momentum), or that is no finite number of 32 bits. */
  int32_t(GRAPNEL_CALL* set_option)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                                    grapnel_string name, double value);
  /* flag: gradients have their true scale, without loss scaling. With loss scaling this is so only
   * in on_before_optimizer_step, for the optimizer that steps, unless one of its gradients
   * overflowed. */
  int32_t(GRAPNEL_CALL* gradients_are_unscaled)(const grapnel_host* host, int32_t* unscaled);
} grapnel_optimizers;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_OPTIMIZERS_H_ */
