/* Extension tensors: tensor handles, and reading and writing their elements.
 *
 * A handle that a function returns is the caller's: release it. A handle in an event is borrowed
 * until the hook returns: retain it to keep it. Tensors of batches, outputs and events are copies (made
 * when one side writes): what a plugin writes to them stays with the plugin. Masks are read-only.
 */
#ifndef GRAPNEL_EXT_TENSORS_H_
#define GRAPNEL_EXT_TENSORS_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_TENSORS "grapnel.tensors/1"

/* Element types; the numbers are those of LibTorch's ScalarType. */
#define GRAPNEL_DTYPE_U8 0
#define GRAPNEL_DTYPE_I8 1
#define GRAPNEL_DTYPE_I16 2
#define GRAPNEL_DTYPE_I32 3
#define GRAPNEL_DTYPE_I64 4
#define GRAPNEL_DTYPE_F16 5
#define GRAPNEL_DTYPE_F32 6
#define GRAPNEL_DTYPE_F64 7
#define GRAPNEL_DTYPE_BOOL 11
#define GRAPNEL_DTYPE_BF16 15

/* The numbers are those of LibTorch's DeviceType. */
#define GRAPNEL_DEVICE_CPU 0
#define GRAPNEL_DEVICE_CUDA 1

/* The number of LibTorch's Layout. Gradients of embeddings may be sparse. */
#define GRAPNEL_TENSOR_STRIDED 0
#define GRAPNEL_TENSOR_SPARSE 1

/* Growable, the host's, valid while the handle is; the values are those of the last describe. */
typedef struct grapnel_tensor_info {
  uint32_t struct_size;
  int32_t dtype;        /* GRAPNEL_DTYPE_... or another number of ScalarType */
  int32_t device_type;  /* GRAPNEL_DEVICE_... or another number of DeviceType */
  int32_t device_index; /* -1 for the CPU */
  uint64_t ndim;
  const int64_t* sizes;   /* ndim entries */
  const int64_t* strides; /* ndim entries, in elements; NULL unless layout is strided */
  int64_t numel;
  const void* data; /* on the CPU and strided: the first element; else NULL. Never write to
                     * it: it may be the data set's own memory until one side writes */
  int32_t layout;   /* GRAPNEL_TENSOR_STRIDED or another number of LibTorch's Layout */
  int32_t reserved;
} grapnel_tensor_info;

typedef struct grapnel_tensors {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* describe)(const grapnel_host* host, const grapnel_tensor* tensor,
                                  const grapnel_tensor_info** info);
  int32_t(GRAPNEL_CALL* retain)(const grapnel_host* host, grapnel_tensor* tensor,
                                grapnel_tensor** owned);
  int32_t(GRAPNEL_CALL* release)(const grapnel_host* host, grapnel_tensor* tensor);
  /* The value of a tensor with one element, waiting for its device. */
  int32_t(GRAPNEL_CALL* to_f64)(const grapnel_host* host, const grapnel_tensor* tensor,
                                double* value);
  /* Copies all elements, row-major, to the plugin's memory. bytes: numel * size of an element. */
  int32_t(GRAPNEL_CALL* read)(const grapnel_host* host, const grapnel_tensor* tensor, void* data,
                              uint64_t bytes);
  /* Row-major memory of the host to write the elements to; end_write puts them into the tensor. One
   * pair at a time per handle. GRAPNEL_INVALID_ARGUMENT for a mask of the model. */
  int32_t(GRAPNEL_CALL* begin_write)(const grapnel_host* host, grapnel_tensor* tensor, void** data,
                                     uint64_t* bytes);
  int32_t(GRAPNEL_CALL* end_write)(const grapnel_host* host, grapnel_tensor* tensor);
  /* A new CPU tensor with a copy of the elements, row-major. */
  int32_t(GRAPNEL_CALL* from_data)(const grapnel_host* host, int32_t dtype, const int64_t* sizes,
                                   uint64_t ndim, const void* data, uint64_t bytes,
                                   grapnel_tensor** owned);
} grapnel_tensors;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_TENSORS_H_ */
