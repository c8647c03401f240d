/* Extension event: user-defined events, called by name from the user's own loop (core's Fabric).
 *
 * The plugin's side, from grapnel_instance.get_extension: a list of handlers, one per name, each
 * with named and typed arguments. The host matches the caller's arguments by name, converts them to
 * these types, fills in defaults, and refuses what doesn't fit before it calls the plugin.
 * Arguments that a handler doesn't name are not passed to it. A name of hooks.def may be handled
 * too; in such a loop the handler then replaces the hook.
 *
 *   type                     accepted arguments
 *   GRAPNEL_VALUE_BOOL       true, false
 *   GRAPNEL_VALUE_I64        an integer, or an integer tensor with one element
 *   GRAPNEL_VALUE_F64        a number, or a tensor with one element
 *   GRAPNEL_VALUE_STRING     a text
 *   GRAPNEL_VALUE_TENSOR     a tensor
 *   GRAPNEL_VALUE_I64_LIST, GRAPNEL_VALUE_F64_LIST, GRAPNEL_VALUE_TENSOR_LIST   a list of these
 *   GRAPNEL_VALUE_NONE       any of these, as it is, or nothing (tag GRAPNEL_VALUE_NONE)
 */
#ifndef GRAPNEL_EXT_EVENT_H_
#define GRAPNEL_EXT_EVENT_H_

#include "aten.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_EVENT "grapnel.event/1"

/* Flags of an argument. With a default it is optional; with the default NONE it may also be
 * nothing, for any type. */
#define GRAPNEL_EVENT_HAS_DEFAULT 1

/* Growable, the plugin's; lives until destroy. */
typedef struct grapnel_event_argument {
  uint32_t struct_size;
  uint32_t flags; /* 0 or GRAPNEL_EVENT_... */
  grapnel_string name;
  int32_t type; /* GRAPNEL_VALUE_... */
  int32_t reserved;
  grapnel_value default_value; /* NONE, BOOL, I64, F64 or STRING */
} grapnel_event_argument;

/* Growable, the plugin's; lives until destroy. */
typedef struct grapnel_event_handler grapnel_event_handler;
struct grapnel_event_handler {
  uint32_t struct_size;
  uint32_t argument_count;
  grapnel_string event; /* 1 to 512 bytes */
  const grapnel_event_argument* const* arguments;
  /* values: argument_count of them, in the order of the arguments; tensors are borrowed
   * copies; everything is valid until it returns. Returns a status like a hook.
   * [train-thread] */
  int32_t(GRAPNEL_CALL* call)(grapnel_instance* instance, const grapnel_event_handler* handler,
                              const grapnel_value* values);
};

/* The plugin's; both are called after init, once per handler, and the results must stay valid until
 * destroy. */
typedef struct grapnel_event_handlers {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* count)(grapnel_instance* instance, uint64_t* count);
  int32_t(GRAPNEL_CALL* handler)(grapnel_instance* instance, uint64_t index,
                                 const grapnel_event_handler** handler);
} grapnel_event_handlers;

/* The host's, from grapnel_host.get_extension: it calls handlers of user-defined events. */
typedef struct grapnel_event_support {
  uint32_t struct_size;
  uint32_t reserved;
} grapnel_event_support;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_EVENT_H_ */
