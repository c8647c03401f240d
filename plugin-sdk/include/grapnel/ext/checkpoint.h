/* Extension checkpoint: the files that a training saves itself in.
 *
 * Paths are absolute. A checkpoint appears under its path whole or not at all, perhaps some time after
 * on_save_checkpoint, when a thread writes it: on_checkpoint_written tells of each complete one.
 */
#ifndef GRAPNEL_EXT_CHECKPOINT_H_
#define GRAPNEL_EXT_CHECKPOINT_H_

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAPNEL_EXT_CHECKPOINT "grapnel.checkpoint/1"

/* Not in create and init. Texts are valid until the hook returns. */
typedef struct grapnel_checkpoint {
  uint32_t struct_size;
  uint32_t reserved;
  /* The newest complete file of the run; GRAPNEL_NOT_FOUND before the first. */
  int32_t(GRAPNEL_CALL* last)(const grapnel_host* host, grapnel_string* path);
  /* The complete file with the best value of its writer's monitor, and that value; NaN for a writer
   * without a monitor, whose best is the newest. Of several writers that of the first with a monitor.
   * GRAPNEL_NOT_FOUND before the first. */
  int32_t(GRAPNEL_CALL* best)(const grapnel_host* host, grapnel_string* path, double* value);
  /* The file that is being made: in on_save_checkpoint, and while a thread writes it; GRAPNEL_NOT_FOUND
   * when none is. */
  int32_t(GRAPNEL_CALL* writing)(const grapnel_host* host, grapnel_string* path);
  /* The file stays until unpin, or destroy, also when it is no longer among the best: for an upload, say.
   * Then it is removed with the next one that is. A name that the training writes again, as "last", gets
   * its new content all the same. Pins count: as many unpins end them. path: absolute, or relative to the
   * working directory; the file need not exist yet. reason: for people, 1 byte or more. */
  int32_t(GRAPNEL_CALL* pin)(const grapnel_host* host, grapnel_string path, grapnel_string reason);
  /* GRAPNEL_NOT_FOUND when this instance has not pinned it. */
  int32_t(GRAPNEL_CALL* unpin)(const grapnel_host* host, grapnel_string path);
} grapnel_checkpoint;

#ifdef __cplusplus
}
#endif

#endif /* GRAPNEL_EXT_CHECKPOINT_H_ */
