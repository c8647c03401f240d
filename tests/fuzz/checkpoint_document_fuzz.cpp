// Any JSON object as the document of a checkpoint whose checksums fit: refused with a CheckpointError, or
// a state that is the same after it is written and read again. `grapnel checkpoint show` reads it too.
#include <grapnel/checkpoint.h>
#include <grapnel/host/checkpoint_summary.h>

#include <stdexcept>

#include "fuzz_target.h"
#include "input_file.h"
#include "small_checkpoint.h"

namespace checkpoint_document_fuzz {

using namespace grapnel;
using fuzz::require;

GRAPNEL_FUZZ_TARGET(checkpoint_document) {
  static const fuzz::InputFile file("document.ckpt");
  try {
    fuzz::write_small_checkpoint(file.path(), parse_json(fuzz::as_text(bytes), "fuzz"));
  } catch (const ConfigError&) {
    return;
  } catch (const std::invalid_argument&) {  // not an object, or with "format_version"
    return;
  }
  try {
    (void)host::to_json(host::summarize_checkpoint(file.path()));
  } catch (const CheckpointError&) {
  }
  StateDict state;
  try {
    state = load_checkpoint_file(file.path());
  } catch (const CheckpointError&) {
    return;
  }
  save_checkpoint_file(file.path(), state, Durability::fast);
  require(fuzz::same(load_checkpoint_file(file.path()), state));
}

}  // namespace checkpoint_document_fuzz
