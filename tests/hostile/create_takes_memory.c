/* create takes 1.5 GiB of memory, as a table that is far too large would. */
#include "hostile.h"

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  const size_t size = (size_t)3 << 29;
  char* const table = malloc(size);
  if (table == NULL) return hostile_fail(host, "there is no memory for the table");
  for (size_t at = 0; at < size; at += 4096) ((volatile char*)table)[at] = 1;
  free(table);
  return hostile_new(host, instance, NULL, 0);
}

HOSTILE_PLUGIN(create)
