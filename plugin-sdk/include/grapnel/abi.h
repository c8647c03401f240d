/* The plugin ABI of Grapnel: the boundary between a host and a plugin's shared library.
 *
 * One binary works everywhere: a plugin built once, by any compiler, with any C++ standard library,
 * in C, C++ or Rust, loads in every host of the same ABI major, whatever LibTorch that host uses.
 *
 * Dialect. 64-bit little-endian. Fixed-width integers, doubles and pointers only; no bool, enum,
 * long, bit-field or struct return; no implicit padding. Strings are UTF-8, pointer and length,
 * never NUL-terminated, valid until the call returns unless the function says longer; those from a
 * plugin are at most GRAPNEL_MAX_TEXT_BYTES long. The side that allocates memory frees it; a handle
 * in an output named `owned` is the caller's to release. A yes-or-no value is an int32_t: 0 or 1.
 *
 * Growth. A growable struct starts with struct_size, written by its owner, and is passed by
 * pointer, never for the other side to fill; arrays of them are arrays of pointers. Fields are only
 * appended, and their meaning never changes. A field exists where GRAPNEL_HAS(pointer, field)
 * holds: test the field that you use, never the size of the struct. Structs without struct_size
 * are frozen within their major.
 *   A table grows by functions that complete it. When a function has to take other arguments or to
 * mean something else, the extension gets a new id ("grapnel.log/2"), and hosts offer both.
 *   A plugin is written for one minor, GRAPNEL_ABI_TARGET: these headers show nothing newer, and a
 * host takes every target from GRAPNEL_ABI_LOWEST_MINOR up to its own minor. Raise the target only
 * for what you need: plugin.json's "abi" sets it where grapnel_add_plugin() builds the plugin.
 *   Reserved fields are zero. The host refuses, by name, a reserved field that isn't and a flag of
 * the high 16 bits that it doesn't know; it ignores unknown flags of the low 16 bits. A value that
 * a newer header defines (a kind of request, a tag, an element type) is answered with
 * GRAPNEL_UNSUPPORTED, so that a plugin can do without.
 *
 * Errors. Every function returns an int32_t status, GRAPNEL_OK or another one below; results go
 * through output pointers, which come last and are set only with GRAPNEL_OK. Nothing is thrown
 * across the boundary. The plugin reports the text of its own failure with grapnel_host.fail before
 * it returns GRAPNEL_ERROR. A service of the host that fails inside a hook returns GRAPNEL_PENDING
 * and keeps its exception: if the hook returns GRAPNEL_PENDING too, the host rethrows it, else it
 * logs it.
 *
 * Threads. [train-thread]: only within a call that the host makes into the instance (create, init,
 * a hook, a function of its extensions, get_extension, destroy), on the thread that makes it; on
 * another thread it returns GRAPNEL_WRONG_THREAD, outside of such a call GRAPNEL_NOT_NOW.
 * [any-thread]: from any thread of the plugin, at any time after create began. A function without
 * a tag is [train-thread]. The host calls an instance from one thread at a time.
 *
 * Lifetime. The library stays loaded to the end of the process, and its static destructors are not
 * run. grapnel_host stays valid as long: after destroy its functions and those of its extensions
 * return GRAPNEL_NOT_NOW. Tables of extensions are the same for every instance and valid as long.
 * Handles belong to the instance that got them, another one's is refused. A handle of an event is
 * valid until the hook returns, and its address says nothing. Of a batch or outputs it is never given
 * again; the address of a tensor's may come back after 64 others have been released.
 *
 * Tensors of a batch, of outputs and of events are the plugin's own copies (made when one side
 * writes): nothing that it does to them reaches the data set or another callback. Only the model's
 * parameters, buffers and gradients are live.
 *
 * The major is 0 until the plugin system is complete: within it a minor may still change what is
 * there, and then raises GRAPNEL_ABI_LOWEST_MINOR. From major 1 on, the rules above hold forever.
 */
#ifndef GRAPNEL_ABI_H_
#define GRAPNEL_ABI_H_

#include <stddef.h>
#include <stdint.h>

#define GRAPNEL_ABI_MAJOR 0
#define GRAPNEL_ABI_MINOR 5
/* The oldest target that hosts of this minor run. */
#define GRAPNEL_ABI_LOWEST_MINOR 4

/* The minor that a plugin is written for: what a newer one appended is not declared. */
#if !defined(GRAPNEL_ABI_TARGET)
#define GRAPNEL_ABI_TARGET GRAPNEL_ABI_LOWEST_MINOR
#elif GRAPNEL_ABI_TARGET < GRAPNEL_ABI_LOWEST_MINOR
#error "GRAPNEL_ABI_TARGET is older than what hosts run; see GRAPNEL_ABI_LOWEST_MINOR"
#elif GRAPNEL_ABI_TARGET > GRAPNEL_ABI_MINOR
#error "GRAPNEL_ABI_TARGET is newer than these headers; build with a newer SDK"
#endif

/* The one symbol that a plugin exports: a const struct grapnel_plugin of this name. */
#define GRAPNEL_PLUGIN_SYMBOL grapnel_plugin_v0
#define GRAPNEL_PLUGIN_SYMBOL_NAME "grapnel_plugin_v0"

#if defined(_WIN32)
#define GRAPNEL_CALL __cdecl
#define GRAPNEL_PLUGIN_EXPORT __declspec(dllexport)
#else
#define GRAPNEL_CALL
#define GRAPNEL_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

/* First byte after a field: struct_size must reach it for the field to exist. */
#define GRAPNEL_END_OF(type, field) (offsetof(type, field) + sizeof(((type*)0)->field))
/* 1 when the growable struct that `pointer` points to has the field. */
#define GRAPNEL_HAS(pointer, field)    \
  ((uint64_t)(pointer)->struct_size >= \
   (uint64_t)((const char*)(&(pointer)->field + 1) - (const char*)(pointer)))

#ifdef __cplusplus
extern "C" {
#endif

/* Status of a function. Negative: it failed. Positive: an expected outcome that is not success.
 * -99 to 99 are the ABI's, and no others exist; a plugin returns GRAPNEL_OK, GRAPNEL_ERROR or
 * GRAPNEL_PENDING, and GRAPNEL_NOT_FOUND where a function says so. */
#define GRAPNEL_OK 0
#define GRAPNEL_NOT_FOUND 1           /* no such name, index or value; outputs untouched */
#define GRAPNEL_ERROR (-1)            /* the plugin failed; text given by host.fail */
#define GRAPNEL_PENDING (-2)          /* the host failed and keeps the exception */
#define GRAPNEL_INVALID_ARGUMENT (-3) /* the caller broke the contract; see the log */
#define GRAPNEL_NOT_NOW (-4)          /* not in this hook, or after destroy */
#define GRAPNEL_UNSUPPORTED (-5)      /* this host doesn't know that; a newer one may */
#define GRAPNEL_WRONG_THREAD (-6)     /* [train-thread], called on another thread */

/* Flags: whoever doesn't know one of these must refuse; unknown ones below may be ignored. */
#define GRAPNEL_FLAGS_TO_UNDERSTAND 0xffff0000

/* Longest text that the host takes from a plugin, in bytes (64 MiB); a longer one is
 * GRAPNEL_INVALID_ARGUMENT. Some functions take less and say so. */
#define GRAPNEL_MAX_TEXT_BYTES 67108864

/* UTF-8 text, not NUL-terminated. data may be NULL only when size is 0. */
typedef struct grapnel_string {
  const char* data;
  uint64_t size; /* bytes */
} grapnel_string;

/* Opaque objects of the host. */
typedef struct grapnel_tensor grapnel_tensor;
typedef struct grapnel_operator grapnel_operator;
typedef struct grapnel_batch grapnel_batch;
typedef struct grapnel_outputs grapnel_outputs;
typedef struct grapnel_lease grapnel_lease;

typedef struct grapnel_host grapnel_host;
typedef struct grapnel_instance grapnel_instance;
typedef struct grapnel_factory grapnel_factory;

/* Parts of a run. */
#define GRAPNEL_STAGE_NONE 0
#define GRAPNEL_STAGE_TRAIN 1
#define GRAPNEL_STAGE_SANITY_CHECK 2
#define GRAPNEL_STAGE_VALIDATE 3
#define GRAPNEL_STAGE_TEST 4
#define GRAPNEL_STAGE_PREDICT 5

/* The kind of a run: the argument of setup and teardown. */
#define GRAPNEL_RUN_FIT 1
#define GRAPNEL_RUN_VALIDATE 2
#define GRAPNEL_RUN_TEST 3
#define GRAPNEL_RUN_PREDICT 4

/* How a run ended: the argument of on_run_end. */
#define GRAPNEL_OUTCOME_FINISHED 0    /* every planned epoch and step */
#define GRAPNEL_OUTCOME_STOPPED 1     /* a stop request was granted */
#define GRAPNEL_OUTCOME_INTERRUPTED 2 /* a signal */
#define GRAPNEL_OUTCOME_FAILED 3      /* an exception */

/* Ids of hooks; see hooks.def. */
enum {
#define GRAPNEL_HOOK(id, name, event, stage, module) GRAPNEL_HOOK_##name = id,
#include "hooks.def"
#undef GRAPNEL_HOOK
  GRAPNEL_HOOK_COUNT_KNOWN = 43 /* to this header; a host may know more or fewer */
};

/* ---- Arguments of hooks. Growable, made by the host, valid until the hook returns. Integers and
 * borrowed handles only: other values are fetched through extensions, at the price of a call. */

typedef struct grapnel_Event {
  uint32_t struct_size;
  uint32_t hook; /* GRAPNEL_HOOK_... */
} grapnel_Event;

typedef struct grapnel_InitEvent {
  uint32_t struct_size;
  uint32_t hook;
} grapnel_InitEvent;

typedef struct grapnel_StageEvent {
  uint32_t struct_size;
  uint32_t hook;
  int32_t run; /* GRAPNEL_RUN_... */
  int32_t reserved;
} grapnel_StageEvent;

typedef struct grapnel_TrainBatchStart {
  uint32_t struct_size;
  uint32_t hook;
  grapnel_batch* batch;
  int64_t batch_idx; /* within the epoch, from 0 */
} grapnel_TrainBatchStart;

typedef struct grapnel_TrainBatchEnd {
  uint32_t struct_size;
  uint32_t hook;
  grapnel_batch* batch;
  int64_t batch_idx;
  grapnel_outputs* outputs; /* of training_step; the loss is divided by the accumulation */
} grapnel_TrainBatchEnd;

typedef struct grapnel_EvalBatchStart {
  uint32_t struct_size;
  uint32_t hook;
  grapnel_batch* batch;
  int64_t batch_idx;      /* within its data loader, from 0 */
  int64_t dataloader_idx; /* 0 when there is one loader */
} grapnel_EvalBatchStart;

typedef struct grapnel_EvalBatchEnd {
  uint32_t struct_size;
  uint32_t hook;
  grapnel_batch* batch;
  int64_t batch_idx;
  int64_t dataloader_idx;
  grapnel_outputs* outputs;
} grapnel_EvalBatchEnd;

typedef struct grapnel_OptimizerEvent {
  uint32_t struct_size;
  uint32_t hook;
  int64_t optimizer_idx;
} grapnel_OptimizerEvent;

typedef struct grapnel_BackwardEvent {
  uint32_t struct_size;
  uint32_t hook;
  grapnel_tensor* loss; /* scalar, borrowed */
} grapnel_BackwardEvent;

typedef struct grapnel_ExceptionEvent {
  uint32_t struct_size;
  uint32_t hook;
  grapnel_string type; /* "PluginError", "Interrupted", ... */
  grapnel_string message;
} grapnel_ExceptionEvent;

typedef struct grapnel_SaveCheckpoint {
  uint32_t struct_size;
  uint32_t hook;
} grapnel_SaveCheckpoint;

typedef struct grapnel_LoadCheckpoint {
  uint32_t struct_size;
  uint32_t hook;
} grapnel_LoadCheckpoint;

typedef struct grapnel_CheckpointWritten {
  uint32_t struct_size;
  uint32_t hook;
  grapnel_string path;
} grapnel_CheckpointWritten;

typedef struct grapnel_SignalEvent {
  uint32_t struct_size;
  uint32_t hook;
  int32_t signal; /* the system's number: 2 for SIGINT, 15 for SIGTERM */
  int32_t reserved;
} grapnel_SignalEvent;

typedef struct grapnel_RunEnd {
  uint32_t struct_size;
  uint32_t hook;
  int32_t outcome; /* GRAPNEL_OUTCOME_... */
  int32_t reserved;
  grapnel_string reason; /* of a stop or a failure; empty when finished */
} grapnel_RunEnd;

/* ---- The host, as one instance sees it. Growable, made by the host, valid as long as the process;
 * after destroy it answers GRAPNEL_NOT_NOW. */
struct grapnel_host {
  uint32_t struct_size;
  uint32_t abi_minor;  /* of the host */
  grapnel_string name; /* "grapnel" */
  grapnel_string version;
  /* The table of an extension (grapnel/ext/) by its id, "grapnel.log/1". GRAPNEL_NOT_FOUND when the
   * host does not offer it: degrade gracefully. [any-thread] */
  int32_t(GRAPNEL_CALL* get_extension)(const grapnel_host* host, grapnel_string id,
                                       const void** table);
  /* The text of a failure that the plugin is about to return as GRAPNEL_ERROR; copied.
   * [train-thread] */
  int32_t(GRAPNEL_CALL* fail)(const grapnel_host* host, grapnel_string text);
};

/* One hook that an instance wants. Growable, the plugin's, valid until destroy. */
#define GRAPNEL_HOOK_OPTIONAL 1 /* a host without the hook warns; else it refuses */
typedef struct grapnel_hook_entry {
  uint32_t struct_size;
  uint32_t hook;  /* GRAPNEL_HOOK_... */
  uint32_t flags; /* 0 or GRAPNEL_HOOK_OPTIONAL */
  uint32_t reserved;
  /* event: the struct that hooks.def names for this hook, its first two fields those of
   * grapnel_Event. [train-thread] */
  int32_t(GRAPNEL_CALL* call)(grapnel_instance* instance, const grapnel_Event* event);
} grapnel_hook_entry;

/* One running callback. Growable, made by the plugin's create, freed by its destroy.
 *
 *   create  allocates; parameters are readable through the host's extension params
 *   init    gets extensions; may refuse by returning GRAPNEL_ERROR: destroy still follows
 *   hooks
 *   destroy last, once, after anything; the host's services still work in it */
struct grapnel_instance {
  uint32_t struct_size;
  uint32_t hook_count;
  const grapnel_hook_entry* const* hooks; /* hook_count of them; read once, after init */
  void* self;                             /* the plugin's own; the host never reads it */
  int32_t(GRAPNEL_CALL* init)(grapnel_instance* instance, const grapnel_host* host);
  int32_t(GRAPNEL_CALL* destroy)(grapnel_instance* instance);
  /* The plugin's table of an extension, "grapnel.state/1"; valid until destroy. GRAPNEL_NOT_FOUND
   * for an extension that the plugin does not offer, also for ids newer than this header. Called
   * after init. NULL in an instance without any. [train-thread] */
  int32_t(GRAPNEL_CALL* get_extension)(grapnel_instance* instance, grapnel_string id,
                                       const void** table);
};

/* Makes instances of one callback. Growable, constant data of the plugin. */
struct grapnel_factory {
  uint32_t struct_size;
  uint32_t reserved;
  grapnel_string callback; /* its name in plugin.json */
  /* Sets *instance on success; on failure nothing stays allocated. [train-thread] */
  int32_t(GRAPNEL_CALL* create)(const grapnel_factory* factory, const grapnel_host* host,
                                grapnel_instance** instance);
};

/* What the symbol GRAPNEL_PLUGIN_SYMBOL names. Growable, constant data of the plugin. */
typedef struct grapnel_plugin grapnel_plugin;
struct grapnel_plugin {
  uint32_t struct_size;
  uint32_t abi_minor;     /* GRAPNEL_ABI_TARGET; plugin.json's "abi" names the same */
  uint64_t factory_count; /* 0 in a library without callbacks */
  const grapnel_factory* const* factories;
  /* Points into the section that holds plugin.json, so that no linker drops it; NULL when the
   * manifest is only a file next to the library. The host reads the file, never this pointer. */
  const void* manifest;
  /* The library's table of an extension, for what is not part of one callback; valid as long as the
   * library is loaded. GRAPNEL_NOT_FOUND for every id that it does not know. NULL in a library
   * without any. [train-thread] */
  int32_t(GRAPNEL_CALL* get_extension)(const grapnel_plugin* plugin, grapnel_string id,
                                       const void** table);
};

#ifdef __cplusplus
} /* extern "C" */
#endif

#include "abi_layout.h"

#endif /* GRAPNEL_ABI_H_ */
