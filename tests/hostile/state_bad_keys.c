/* It puts state under keys that are not acceptable; the host has to refuse each. It fails with a text that
 * says which the host took. */
#include "hostile_state.h"

static int32_t GRAPNEL_CALL save(grapnel_instance* instance, const grapnel_state_writer* writer) {
  const grapnel_host* host = hostile_host(instance);
  char filled[513];
  memset(filled, 'k', sizeof filled);
  const grapnel_string too_long = {filled, sizeof filled};
  const grapnel_string null_text = {NULL, 3};
  if (writer->put_i64(writer, hostile_text(""), 1) == GRAPNEL_OK)
    return hostile_fail(host, "took no key");
  if (writer->put_i64(writer, hostile_text("a\nb"), 1) == GRAPNEL_OK)
    return hostile_fail(host, "took a line break");
  if (writer->put_i64(writer, hostile_text("\xff\xfe"), 1) == GRAPNEL_OK)
    return hostile_fail(host, "took what is not UTF-8");
  if (writer->put_i64(writer, too_long, 1) == GRAPNEL_OK)
    return hostile_fail(host, "took 513 bytes");
  if (writer->put_i64(writer, null_text, 1) == GRAPNEL_OK)
    return hostile_fail(host, "took a null key");
  if (writer->put_i64(writer, hostile_text("once"), 1) != GRAPNEL_OK)
    return hostile_fail(host, "refused a good key");
  if (writer->put_i64(writer, hostile_text("once"), 2) == GRAPNEL_OK)
    return hostile_fail(host, "took a key twice");
  if (writer->put_tensor(writer, hostile_text("tensor"), NULL) == GRAPNEL_OK)
    return hostile_fail(host, "took no tensor");
  return GRAPNEL_OK;
}

HOSTILE_STATE_PLUGIN(NULL, save, hostile_load_nothing)
