/* Extension log: log lines for the user.
 *
 * The host prefixes each line with the plugin's id and writes it to the program's log. It may leave
 * lines out where there are very many (1,000 at once, 20 a second after that; a long line counts as
 * several), and then logs how many.
 */
#ifndef GRAPNEL_EXT_LOG_H_
#define GRAPNEL_EXT_LOG_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_LOG "grapnel.log/1"

#define GRAPNEL_LOG_DEBUG 0
#define GRAPNEL_LOG_INFO 1
#define GRAPNEL_LOG_WARNING 2
#define GRAPNEL_LOG_ERROR 3

typedef struct grapnel_log {
  uint32_t struct_size;
  uint32_t reserved;
  /* One line, without a line break at its end. [any-thread] */
  int32_t(GRAPNEL_CALL* write)(const grapnel_host* host, int32_t level, grapnel_string text);
  /* As write, but only the first time that this instance uses the key. [any-thread] */
  int32_t(GRAPNEL_CALL* once)(const grapnel_host* host, int32_t level, grapnel_string key,
                              grapnel_string text);
} grapnel_log;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_LOG_H_ */
