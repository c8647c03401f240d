/* Extension params: the user's parameters of this instance.
 *
 * The host has read them from run.json and checked their types and ranges against the table in
 * plugin.json; omitted parameters have their defaults. Readable from create on. All functions:
 * GRAPNEL_NOT_FOUND for a parameter whose value is null, GRAPNEL_INVALID_ARGUMENT for a name that
 * plugin.json doesn't declare (a typo) and for another type than declared. An integer parameter may
 * be read as f64 too; a duration is an f64 of seconds.
 */
#ifndef GRAPNEL_EXT_PARAMS_H_
#define GRAPNEL_EXT_PARAMS_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_PARAMS "grapnel.params/1"

typedef struct grapnel_params {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* get_i64)(const grapnel_host* host, grapnel_string name, int64_t* value);
  int32_t(GRAPNEL_CALL* get_f64)(const grapnel_host* host, grapnel_string name, double* value);
  int32_t(GRAPNEL_CALL* get_bool)(const grapnel_host* host, grapnel_string name, int32_t* value);
  /* The text is valid until destroy. */
  int32_t(GRAPNEL_CALL* get_string)(const grapnel_host* host, grapnel_string name,
                                    grapnel_string* value);
  /* Lists: their length, then each item by index from 0. */
  int32_t(GRAPNEL_CALL* list_size)(const grapnel_host* host, grapnel_string name, uint64_t* size);
  int32_t(GRAPNEL_CALL* list_i64)(const grapnel_host* host, grapnel_string name, uint64_t index,
                                  int64_t* value);
  int32_t(GRAPNEL_CALL* list_f64)(const grapnel_host* host, grapnel_string name, uint64_t index,
                                  double* value);
  int32_t(GRAPNEL_CALL* list_string)(const grapnel_host* host, grapnel_string name, uint64_t index,
                                     grapnel_string* value);
  int32_t(GRAPNEL_CALL* list_bool)(const grapnel_host* host, grapnel_string name, uint64_t index,
                                   int32_t* value);
} grapnel_params;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_PARAMS_H_ */
