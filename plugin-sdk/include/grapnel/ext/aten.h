/* Extension aten: every operator of the host's LibTorch, by name.
 *
 * find("aten::lerp_", "Scalar") once, call in every hook. Arguments are positional, in the order of
 * the operator's schema; trailing ones that have defaults may be left out. Operators run without
 * recording gradients.
 */
#ifndef GRAPNEL_EXT_ATEN_H_
#define GRAPNEL_EXT_ATEN_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_ATEN "grapnel.aten/1"

#define GRAPNEL_VALUE_NONE ((int32_t)0)
#define GRAPNEL_VALUE_TENSOR ((int32_t)1)      /* u.tensor */
#define GRAPNEL_VALUE_TENSOR_LIST ((int32_t)2) /* u.tensors, size */
#define GRAPNEL_VALUE_I64 ((int32_t)3)
#define GRAPNEL_VALUE_F64 ((int32_t)4)
#define GRAPNEL_VALUE_BOOL ((int32_t)5)     /* u.i64: 0 or 1 */
#define GRAPNEL_VALUE_STRING ((int32_t)6)   /* u.string, size in bytes */
#define GRAPNEL_VALUE_I64_LIST ((int32_t)7) /* u.i64s, size */
#define GRAPNEL_VALUE_F64_LIST ((int32_t)8) /* u.f64s, size */

/* Most items that the host takes in one list. */
#define GRAPNEL_VALUE_MAX_ITEMS ((uint64_t)1 << 24)

/* One argument or result; frozen. An operator that wants a Scalar takes I64, F64 or BOOL; a dtype,
 * layout or memory format is an I64. */
typedef struct grapnel_value {
  int32_t tag; /* GRAPNEL_VALUE_... */
  int32_t reserved;
  uint64_t size; /* of a list or text, else 0 */
  union {
    grapnel_tensor* tensor;
    grapnel_tensor* const* tensors;
    int64_t i64;
    double f64;
    const char* string;
    const int64_t* i64s;
    const double* f64s;
  } u;
} grapnel_value;

typedef struct grapnel_aten {
  uint32_t struct_size;
  uint32_t reserved;
  /* GRAPNEL_NOT_FOUND when the host's LibTorch has no such operator. The handle is valid until
   * destroy. */
  int32_t(GRAPNEL_CALL* find)(const grapnel_host* host, grapnel_string name,
                              grapnel_string overload, const grapnel_operator** op);
  /* Writes result_count results; fewer than the operator returns are allowed (the rest is dropped),
   * more are GRAPNEL_INVALID_ARGUMENT. Tensors among them are the caller's to release;
   * lists and texts are valid until the next call of the same instance, tensors in such a list are
   * the caller's too. */
  int32_t(GRAPNEL_CALL* call)(const grapnel_host* host, const grapnel_operator* op,
                              const grapnel_value* arguments, uint64_t argument_count,
                              grapnel_value* results, uint64_t result_count);
} grapnel_aten;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_ATEN_H_ */
