// Requests to the trainer to deviate from its plan, with a reason and an author.
//
// A hook makes a request; the loop decides after the hook has returned, in one place, and logs what
// it granted. So callbacks never compete for a flag, and every stop can be explained afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "grapnel/export.h"

namespace grapnel {

// The numbers are those of the plugin ABI.
enum class RequestKind : int32_t {
  stop = 1,        // end the run after this batch; min_epochs and min_steps may defer it
  skip_batch = 2,  // in on_train_batch_start: no training step on this batch
  skip_step = 3,   // in on_before_optimizer_step: no update of the weights
  end_epoch = 4,   // in on_train_batch_start: at once; elsewhere after this batch
  evaluate = 5,    // run the validation after this batch
  save = 6,        // write a checkpoint after this batch; in on_train_epoch_end: after the epoch
};

GRAPNEL_CORE_API std::string_view to_string(RequestKind kind);

struct Request {
  RequestKind kind;
  std::string reason;  // for people: "loss is not finite"
  std::string author;  // the callback's label, "module" or "user"
  int64_t global_step = 0;
  int64_t epoch = 0;
};

}  // namespace grapnel
