// Progress bars for training, validation, test and prediction, as Lightning's class of that name
// shows them: "Epoch 3:  67%|██████▋   | 200/300 [00:07<00:03, 28.1it/s, v_num=0, loss=0.123]".
#pragma once

#include <cstdint>
#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/callbacks/batch_progress_bar.h"
#include "grapnel/export.h"

namespace grapnel {

struct TQDMProgressBarOptions {
  int64_t refresh_rate = 1;      // batches between two updates; 0: show nothing
  int64_t process_position = 0;  // start this many pairs of lines further down
  bool leave = false;            // a bar of its own for every epoch, which stays
};

class GRAPNEL_CORE_API TQDMProgressBar : public BatchProgressBar {
 public:
  // Throws ConfigError when refresh_rate or process_position is negative.
  explicit TQDMProgressBar(TQDMProgressBarOptions options = {});

  static const OptionsTable<TQDMProgressBarOptions>& options_table();
};

}  // namespace grapnel
