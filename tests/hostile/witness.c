/* Nothing wrong: it watches the host. create, init once, hooks, destroy once, and nothing afterwards; each
 * hook with its own id and a large enough struct. It ends the process with a line on standard error when
 * the host does otherwise, and logs "created", "destroyed". */
#include <stdio.h>

#include "hostile.h"

enum { unborn, created, ready, gone };

typedef struct witness {
  grapnel_instance abi;
  const grapnel_host* host;
  int32_t life;
  struct witness* earlier;
} witness;

static void demand(int32_t holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "the host broke the contract: %s\n", what);
  abort();
}

/* Instances are never freed, so that a call after destroy is noticed and not a crash. */
static witness* latest;

static witness* of(grapnel_instance* instance) {
  demand(instance != NULL, "a call without an instance");
  return instance->self;
}

static int32_t GRAPNEL_CALL init(grapnel_instance* instance, const grapnel_host* host) {
  demand(of(instance)->life == created, "init twice, or after destroy");
  demand(host == of(instance)->host, "init with another host than create");
  of(instance)->life = ready;
  return GRAPNEL_OK;
}

static int32_t GRAPNEL_CALL destroy(grapnel_instance* instance) {
  demand(of(instance)->life != gone, "destroy twice");
  of(instance)->life = gone;
  hostile_log(of(instance)->host, "destroyed");
  return GRAPNEL_OK;
}

#define GRAPNEL_HOOK(id, name, event, stage, module)                                              \
  static int32_t GRAPNEL_CALL call_##name(grapnel_instance* instance, const grapnel_Event* raw) { \
    demand(of(instance)->life == ready, #name " before init or after destroy");                   \
    demand(raw != NULL && raw->struct_size >= sizeof(grapnel_##event),                            \
           #name " with a short event");                                                          \
    demand(raw->hook == (id), #name " with the id of another hook");                              \
    return GRAPNEL_OK;                                                                            \
  }
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK

static const grapnel_hook_entry* const hooks[] = {
#define GRAPNEL_HOOK(id, name, event, stage, module) HOSTILE_HOOK(id, 0, call_##name),
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK
};

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  witness* one = calloc(1, sizeof *one);
  if (one == NULL) return hostile_fail(host, "no memory");
  const grapnel_instance abi = {
      sizeof abi, sizeof hooks / sizeof hooks[0], hooks, one, init, destroy, hostile_no_extension};
  one->abi = abi;
  one->host = host;
  one->life = created;
  one->earlier = latest;
  latest = one;
  hostile_log(host, "created");
  *instance = &one->abi;
  return GRAPNEL_OK;
}

HOSTILE_PLUGIN(create)
