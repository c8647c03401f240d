/* Gives NULL with a size where the host takes a text, and a text of a size past all reason: as the reason of
 * its failure, and as the id of an extension. The host has to refuse them all; the hook fails with the name
 * of one that it took. */
#include "hostile.h"

static int32_t GRAPNEL_CALL batch_end(grapnel_instance* instance, const grapnel_Event* event) {
  (void)event;
  const grapnel_host* host = hostile_host(instance);
  const grapnel_string no_text = {NULL, 5};
  const grapnel_string endless = {"", GRAPNEL_MAX_TEXT_BYTES + 1};
  const void* table = NULL;
  if (host->get_extension(host, no_text, &table) != GRAPNEL_INVALID_ARGUMENT || table != NULL) {
    return hostile_fail(host, "get_extension");
  }
  if (host->get_extension(host, hostile_text(GRAPNEL_EXT_LOG), NULL) != GRAPNEL_INVALID_ARGUMENT) {
    return hostile_fail(host, "get_extension without an output");
  }
  if (host->get_extension(host, endless, &table) != GRAPNEL_INVALID_ARGUMENT || table != NULL) {
    return hostile_fail(host, "get_extension of an endless id");
  }
  if (host->fail(host, no_text) != GRAPNEL_INVALID_ARGUMENT) return hostile_fail(host, "fail");
  if (host->fail(host, endless) != GRAPNEL_INVALID_ARGUMENT) {
    return hostile_fail(host, "an endless reason");
  }
  return GRAPNEL_OK;
}
static const grapnel_hook_entry* const hooks[] = {
    HOSTILE_HOOK(GRAPNEL_HOOK_on_train_batch_end, 0, batch_end)};
HOSTILE_PLUGIN_WITH_HOOKS(hooks)
