/* It needs a library by its path, which nobody has pinned. */
#include "hostile.h"

extern int32_t hostile_dependency(void);

static int32_t GRAPNEL_CALL create(const grapnel_factory* factory_of, const grapnel_host* host,
                                   grapnel_instance** instance) {
  (void)factory_of;
  if (hostile_dependency() != 1) return hostile_fail(host, "another library is there now");
  return hostile_new(host, instance, NULL, 0);
}
HOSTILE_PLUGIN(create)
