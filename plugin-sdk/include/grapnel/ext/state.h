/* Extension state: an instance's state in checkpoints. The plugin implements it, the host calls it.
 *
 * The host keeps it under "<plugin id>/<callback>/<key>". Values are copied before put returns.
 * A load that fails must change nothing: read everything first, then apply it. A training that resumes
 * saves before it loads; when something else refuses the checkpoint, it loads that again.
 */
#ifndef GRAPNEL_EXT_STATE_H_
#define GRAPNEL_EXT_STATE_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_STATE "grapnel.state/1"

/* Largest state of one instance: entries, and bytes of all entries that are not tensors. */
#define GRAPNEL_STATE_MAX_ENTRIES 65536
#define GRAPNEL_STATE_MAX_BYTES 67108864

/* What a value was put as. OTHER: by no plugin; it can't be read. */
#define GRAPNEL_STATE_TYPE_OTHER 0
#define GRAPNEL_STATE_TYPE_TENSOR 1 /* an array too */
#define GRAPNEL_STATE_TYPE_I64 2
#define GRAPNEL_STATE_TYPE_F64 3
#define GRAPNEL_STATE_TYPE_STRING 4
#define GRAPNEL_STATE_TYPE_BYTES 5

/* The host's. Each key is used once: 1 to 512 bytes of UTF-8 without control characters, enough for
 * the name of any parameter. [train-thread] */
typedef struct grapnel_state_writer grapnel_state_writer;
struct grapnel_state_writer {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* put_tensor)(const grapnel_state_writer* writer, grapnel_string key,
                                    const grapnel_tensor* tensor);
  int32_t(GRAPNEL_CALL* put_array)(const grapnel_state_writer* writer, grapnel_string key,
                                   int32_t dtype, const int64_t* sizes, uint64_t ndim,
                                   const void* data, uint64_t bytes);
  int32_t(GRAPNEL_CALL* put_i64)(const grapnel_state_writer* writer, grapnel_string key,
                                 int64_t value);
  int32_t(GRAPNEL_CALL* put_f64)(const grapnel_state_writer* writer, grapnel_string key,
                                 double value);
  int32_t(GRAPNEL_CALL* put_string)(const grapnel_state_writer* writer, grapnel_string key,
                                    grapnel_string value);
  int32_t(GRAPNEL_CALL* put_bytes)(const grapnel_state_writer* writer, grapnel_string key,
                                   const void* data, uint64_t size);
};

/* The host's. GRAPNEL_NOT_FOUND for an absent key, GRAPNEL_INVALID_ARGUMENT for another type. Texts
 * and bytes are valid until load returns. [train-thread] */
typedef struct grapnel_state_reader grapnel_state_reader;
struct grapnel_state_reader {
  uint32_t struct_size;
  uint32_t reserved;
  grapnel_string version; /* of the plugin that wrote the state */
  int32_t(GRAPNEL_CALL* get_tensor)(const grapnel_state_reader* reader, grapnel_string key,
                                    grapnel_tensor** owned);
  int32_t(GRAPNEL_CALL* get_i64)(const grapnel_state_reader* reader, grapnel_string key,
                                 int64_t* value);
  int32_t(GRAPNEL_CALL* get_f64)(const grapnel_state_reader* reader, grapnel_string key,
                                 double* value);
  int32_t(GRAPNEL_CALL* get_string)(const grapnel_state_reader* reader, grapnel_string key,
                                    grapnel_string* value);
  int32_t(GRAPNEL_CALL* get_bytes)(const grapnel_state_reader* reader, grapnel_string key,
                                   const void** data, uint64_t* size);
  int32_t(GRAPNEL_CALL* count)(const grapnel_state_reader* reader, uint64_t* count);
  int32_t(GRAPNEL_CALL* key)(const grapnel_state_reader* reader, uint64_t index,
                             grapnel_string* key);
  /* GRAPNEL_STATE_TYPE_..., so that a migration need not try. */
  int32_t(GRAPNEL_CALL* type)(const grapnel_state_reader* reader, grapnel_string key,
                              int32_t* type);
};

/* The plugin's, from grapnel_instance.get_extension. */
typedef struct grapnel_state {
  uint32_t struct_size;
  uint32_t reserved;
  /* Distinguishes instances of one callback; may be NULL: the host then builds the key from the
   * parameters that plugin.json marks as identifying. The text is valid until destroy. */
  int32_t(GRAPNEL_CALL* key)(grapnel_instance* instance, grapnel_string* key);
  int32_t(GRAPNEL_CALL* save)(grapnel_instance* instance, const grapnel_state_writer* writer);
  int32_t(GRAPNEL_CALL* load)(grapnel_instance* instance, const grapnel_state_reader* reader);
} grapnel_state;

/* The host's, from grapnel_host.get_extension: it saves and loads the states of plugins. */
typedef struct grapnel_state_support {
  uint32_t struct_size;
  uint32_t reserved;
} grapnel_state_support;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_STATE_H_ */
