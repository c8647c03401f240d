/* Extension aten: every operator of the host's LibTorch whose name begins with "aten::".
 *
 * find("aten::lerp_", "Scalar") once, call in every hook. Arguments are positional, in the order of
 * the operator's schema, and trailing ones that have defaults may be left out; or by name with
 * call_named, which also holds in a LibTorch that has inserted an argument. describe tells what an
 * operator takes. Operators run without recording gradients, and draw random numbers from a
 * generator of the instance's own, so that the training's doesn't move.
 *
 * Operators write to what a plugin owns and to the elements of the model's tensors. Those that
 * change what a tensor of the model is (its shape, its memory, whether it requires a gradient), such
 * as set_, resize_, t_, detach_ or requires_grad_, fail for these: swapping and freezing are leases
 * (ext/module.h).
 */
#ifndef GRAPNEL_EXT_ATEN_H_
#define GRAPNEL_EXT_ATEN_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_ATEN "grapnel.aten/1"

#define GRAPNEL_VALUE_NONE 0
#define GRAPNEL_VALUE_TENSOR 1      /* u.tensor */
#define GRAPNEL_VALUE_TENSOR_LIST 2 /* u.tensors, size */
#define GRAPNEL_VALUE_I64 3
#define GRAPNEL_VALUE_F64 4
#define GRAPNEL_VALUE_BOOL 5           /* u.i64: 0 or 1 */
#define GRAPNEL_VALUE_STRING 6         /* u.string, size in bytes */
#define GRAPNEL_VALUE_I64_LIST 7       /* u.i64s, size */
#define GRAPNEL_VALUE_F64_LIST 8       /* u.f64s, size */
#define GRAPNEL_VALUE_DTYPE 9          /* u.i64: GRAPNEL_DTYPE_... of ext/tensors.h */
#define GRAPNEL_VALUE_LAYOUT 10        /* u.i64: GRAPNEL_TENSOR_STRIDED, GRAPNEL_TENSOR_SPARSE */
#define GRAPNEL_VALUE_MEMORY_FORMAT 11 /* u.i64: GRAPNEL_MEMORY_FORMAT_... */
#define GRAPNEL_VALUE_DEVICE 12        /* u.string "cpu", "cuda:0", size in bytes */

/* The numbers are those of LibTorch's MemoryFormat. */
#define GRAPNEL_MEMORY_FORMAT_CONTIGUOUS 0
#define GRAPNEL_MEMORY_FORMAT_PRESERVE 1
#define GRAPNEL_MEMORY_FORMAT_CHANNELS_LAST 2
#define GRAPNEL_MEMORY_FORMAT_CHANNELS_LAST_3D 3

/* Most items that the host takes in one list. */
#define GRAPNEL_VALUE_MAX_ITEMS 16777216

/* One argument or result; frozen. An operator that wants a Scalar takes I64, F64 or BOOL. A dtype,
 * layout, memory format or device has its own tag, and no integer or text stands in for it. */
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

/* Flags of an operator's argument. */
#define GRAPNEL_ARGUMENT_HAS_DEFAULT 1 /* may be left out */
#define GRAPNEL_ARGUMENT_OPTIONAL 2    /* may be NONE */
#define GRAPNEL_ARGUMENT_LIST 4        /* takes a list */
#define GRAPNEL_ARGUMENT_WRITTEN 8     /* the operator writes to the tensor */

/* What an operator takes. Growable, the host's, valid as long as the operator's handle. */
typedef struct grapnel_operator_argument {
  uint32_t struct_size;
  uint32_t flags;      /* GRAPNEL_ARGUMENT_... */
  grapnel_string name; /* "self", "weight" */
  grapnel_string type; /* as LibTorch writes it: "Tensor", "Scalar", "int[]?", "ScalarType" */
} grapnel_operator_argument;

typedef struct grapnel_operator_info {
  uint32_t struct_size;
  uint32_t argument_count;
  const grapnel_operator_argument* const* arguments;
  uint64_t result_count;
  grapnel_string
      schema; /* "aten::lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> ..." */
} grapnel_operator_info;

typedef struct grapnel_aten {
  uint32_t struct_size;
  uint32_t reserved;
  /* GRAPNEL_NOT_FOUND when the host's LibTorch has no such operator. The handle is valid until
   * destroy, for this instance. */
  int32_t(GRAPNEL_CALL* find)(const grapnel_host* host, grapnel_string name,
                              grapnel_string overload, const grapnel_operator** op);
  /* Writes result_count results; fewer than the operator returns are allowed (the rest is dropped),
   * more are GRAPNEL_INVALID_ARGUMENT. Tensors among them are the caller's to release;
   * lists and texts are valid until the next call of the same instance, tensors in such a list are
   * the caller's too. */
  int32_t(GRAPNEL_CALL* call)(const grapnel_host* host, const grapnel_operator* op,
                              const grapnel_value* arguments, uint64_t argument_count,
                              grapnel_value* results, uint64_t result_count);
  int32_t(GRAPNEL_CALL* describe)(const grapnel_host* host, const grapnel_operator* op,
                                  const grapnel_operator_info** info);
  /* As call, each argument by its name in the schema, in any order. GRAPNEL_UNSUPPORTED for a name
   * that the host's LibTorch doesn't know. */
  int32_t(GRAPNEL_CALL* call_named)(const grapnel_host* host, const grapnel_operator* op,
                                    const grapnel_string* names, const grapnel_value* arguments,
                                    uint64_t argument_count, grapnel_value* results,
                                    uint64_t result_count);
} grapnel_aten;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_ATEN_H_ */
