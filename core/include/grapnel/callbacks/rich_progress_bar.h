// Progress bars in colour, as Lightning's class of that name shows them with the Python package
// rich: "Epoch 3/14 ━━━━━━━━━━━━━━━━━╺━━━━━━━━ 200/300 0:00:07 • 0:00:03 28.10it/s loss: 0.123".
//
// Where the terminal shows no colours (NO_COLOR is set) the same line comes without; where the
// locale isn't UTF-8, in ASCII; and without a terminal as TQDMProgressBar's lines for logs.
#pragma once

#include <memory>
#include <string>

#include "grapnel/base/options_table.h"
#include "grapnel/callbacks/batch_progress_bar.h"
#include "grapnel/export.h"

namespace grapnel {

struct RichProgressBarOptions {
  int64_t refresh_rate = 100;  // drawings a second at most; 0: show nothing
  bool leave = false;          // a bar of its own for every epoch, which stays
  BarTheme theme = {};
};

class GRAPNEL_CORE_API RichProgressBar : public BatchProgressBar {
 public:
  // Throws ConfigError for a negative refresh_rate, a style or a metrics_format that is none.
  explicit RichProgressBar(RichProgressBarOptions options = {});

  static const OptionsTable<RichProgressBarOptions>& options_table();

 protected:
  // "Epoch 3/14": the second is the last one's number; left out where it is unknown.
  std::string epoch_description(const Trainer& trainer) const override;
};

}  // namespace grapnel
