/* Extension optimizers: their groups and options.
 *
 * All functions: GRAPNEL_NOT_NOW before there is a run, GRAPNEL_NOT_FOUND when there is no such optimizer or
 * group, numbered from 0.
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
  grapnel_string name; /* empty where it has none */
  uint64_t parameter_count;
  uint64_t reserved;
} grapnel_optimizer_group;

typedef struct grapnel_optimizers {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* count)(const grapnel_host* host, uint64_t* count);
  /* "Adam", "SGD"; the text lives until the hook returns. */
  int32_t(GRAPNEL_CALL* name)(const grapnel_host* host, uint64_t optimizer, grapnel_string* name);
  int32_t(GRAPNEL_CALL* group_count)(const grapnel_host* host, uint64_t optimizer, uint64_t* count);
  int32_t(GRAPNEL_CALL* group)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                               const grapnel_optimizer_group** info);
  /* Names of a group's options: "lr", "momentum", "weight_decay", ...; the text lives until the hook
   * returns. */
  int32_t(GRAPNEL_CALL* option_name)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                                     uint64_t index, grapnel_string* name);
  int32_t(GRAPNEL_CALL* get_option)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                                    grapnel_string name, double* value);
  /* Takes effect with the next step; a scheduler may overwrite it. GRAPNEL_NOT_FOUND for an option that
   * the group doesn't have, GRAPNEL_INVALID_ARGUMENT for NaN and infinity. */
  int32_t(GRAPNEL_CALL* set_option)(const grapnel_host* host, uint64_t optimizer, uint64_t group,
                                    grapnel_string name, double value);
  /* flag: gradients now have their true scale (no loss scaling is in effect on them). Under loss scaling
   * that is so in on_before_optimizer_step alone, for the optimizer that steps, and not when one of its
   * gradients overflowed. */
  int32_t(GRAPNEL_CALL* gradients_are_unscaled)(const grapnel_host* host, int32_t* unscaled);
} grapnel_optimizers;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_OPTIMIZERS_H_ */
