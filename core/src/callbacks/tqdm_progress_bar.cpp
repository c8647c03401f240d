#include "grapnel/callbacks/tqdm_progress_bar.h"

#include <fmt/format.h>

#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/trainer.h"

namespace grapnel {

TQDMProgressBar::TQDMProgressBar(TQDMProgressBarOptions options)
    : BatchProgressBar([&] {
        options_table().check(options, "TQDMProgressBar");
        return Settings{.refresh_batches = options.refresh_rate,
                        .disabled = options.refresh_rate == 0,
                        .first_line = static_cast<int>(2 * options.process_position),
                        .leave = options.leave};
      }()) {}

const OptionsTable<TQDMProgressBarOptions>& TQDMProgressBar::options_table() {
  using O = TQDMProgressBarOptions;
  static const OptionsTable<O> table("tqdm_progress_bar", "Shows progress bars with metrics.",
                                     {option("refresh_rate", &O::refresh_rate)
                                          .at_least(0)
                                          .unit("batches")
                                          .doc("Batches between two updates; 0: show nothing."),
                                      option("process_position", &O::process_position)
                                          .at_least(0)
                                          .doc("Start this many pairs of lines further down."),
                                      option("leave", &O::leave)
                                          .doc("Use a new bar for every epoch, and leave it on the "
                                               "screen.")});
  return table;
}

}  // namespace grapnel
