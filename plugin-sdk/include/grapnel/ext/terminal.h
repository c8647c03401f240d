/* Extension terminal: lines that stay at the bottom of the user's terminal, and lines above them.
 *
 * Each instance has one live area, below the built-in progress bars. The host draws it again after every
 * line that is printed or logged, follows the width of the terminal, and puts it away when the instance
 * is destroyed or disabled. Where there is no terminal (a log file, a pipe) print writes lines and draw
 * nothing. Where the user wants no progress at all (--quiet) all functions answer GRAPNEL_NOT_FOUND.
 */
#ifndef GRAPNEL_EXT_TERMINAL_H_
#define GRAPNEL_EXT_TERMINAL_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_TERMINAL "grapnel.terminal/1"

/* Most lines of a live area. */
#define GRAPNEL_TERMINAL_MAX_LINES 32

/* Growable, the host's, valid until destroy; the values are those of the last call of info. */
typedef struct grapnel_terminal_info {
  uint32_t struct_size;
  int32_t is_terminal; /* flag: else lines go to a file or a pipe */
  int32_t columns;     /* what a line may take; 80 where there is no terminal */
  int32_t utf8;        /* flag: it shows block characters and the like */
  int64_t colors;      /* 0, 8, 256 or 16777216; 0 where the user wants none (NO_COLOR) */
} grapnel_terminal_info;

/* Growable, the plugin's; read before draw returns. */
typedef struct grapnel_terminal_line {
  uint32_t struct_size;
  uint32_t reserved;
  grapnel_string text; /* cut to the width; control characters are shown, not sent */
  /* Words: "bold", "dim", "italic", "underline", one of the eight colours of a terminal ("red") or
   * "#rrggbb"; empty: none. Ignored where there are no colours. */
  grapnel_string style;
} grapnel_terminal_line;

/* In hooks. */
typedef struct grapnel_terminal {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t(GRAPNEL_CALL* info)(const grapnel_host* host, const grapnel_terminal_info** info);
  /* A line above all live areas and bars. */
  int32_t(GRAPNEL_CALL* print)(const grapnel_host* host, grapnel_string line);
  /* Replaces the live area; 0 lines remove it. Cheap: what comes sooner than a tenth of a second after the
   * last drawing is shown with the next one. GRAPNEL_INVALID_ARGUMENT for a style that isn't one. */
  int32_t(GRAPNEL_CALL* draw)(const grapnel_host* host, const grapnel_terminal_line* const* lines,
                              uint64_t count);
} grapnel_terminal;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_TERMINAL_H_ */
