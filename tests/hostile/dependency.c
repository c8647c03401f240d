/* What needs_by_path.c needs. */
#include <stdint.h>

__attribute__((visibility("default"))) int32_t hostile_dependency(void);
int32_t hostile_dependency(void) {
  return 1;
}
