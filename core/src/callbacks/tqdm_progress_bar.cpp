#include "grapnel/callbacks/tqdm_progress_bar.h"

#include <fmt/format.h>

#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/trainer.h"

namespace grapnel {

namespace {

// Checks them on the way.
int64_t count_from_zero(const char* name, int64_t value) {
  if (value >= 0) return value;
  throw ConfigError(
      {}, fmt::format("TQDMProgressBar: {} is {}; accepted are 0 and more", name, value), name);
}

}  // namespace

TQDMProgressBar::TQDMProgressBar(TQDMProgressBarOptions options)
    : BatchProgressBar({.refresh_batches = count_from_zero("refresh_rate", options.refresh_rate),
                        .disabled = options.refresh_rate == 0,
                        .first_line = static_cast<int>(
                            2 * count_from_zero("process_position", options.process_position)),
                        .leave = options.leave}) {}

const ParameterTable& TQDMProgressBar::parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "tqdm_progress_bar", "Shows progress bars with metrics.",
      {integer("refresh_rate", 1)
           .at_least(0)
           .unit("batches")
           .doc("Batches between two updates; 0: show nothing."),
       integer("process_position", 0)
           .at_least(0)
           .doc("Start this many pairs of lines further down."),
       boolean("leave", false).doc("A bar of its own for every epoch, which stays.")});
  return table;
}

std::shared_ptr<TQDMProgressBar> TQDMProgressBar::from(const Parameters& p) {
  return std::make_shared<TQDMProgressBar>(
      TQDMProgressBarOptions{.refresh_rate = p.get<int64_t>("refresh_rate"),
                             .process_position = p.get<int64_t>("process_position"),
                             .leave = p.get<bool>("leave")});
}

}  // namespace grapnel
