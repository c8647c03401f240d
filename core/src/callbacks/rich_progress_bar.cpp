#include "grapnel/callbacks/rich_progress_bar.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "grapnel/trainer.h"
#include "progress/rich_line.h"
#include "progress/text_style.h"
#include "text/python_format.h"

namespace grapnel {

namespace {

struct StyleText : OptionType<std::string> {
  static void check(const std::string& style) { style_sequence(style, TerminalColors::all); }
};
struct NumberFormat : OptionType<std::string> {
  static void check(const std::string& format) { python_format(0.5, format); }
};

const OptionsTable<BarTheme>& theme_table() {
  using O = BarTheme;
  static const OptionsTable<O> table(
      "theme", "What the parts of a bar look like.",
      {option<StyleText>("description", &O::description).doc("Style of what the bar is about."),
       option<StyleText>("progress_bar", &O::progress_bar).doc("Style of the bar."),
       option<StyleText>("progress_bar_finished", &O::progress_bar_finished)
           .doc("Style of a bar that is full."),
       option<StyleText>("progress_bar_pulse", &O::progress_bar_pulse)
           .doc("Style of a bar whose total is unknown."),
       option<StyleText>("batch_progress", &O::batch_progress)
           .doc("Style of the number of batches."),
       option<StyleText>("time", &O::time).doc("Style of the time elapsed and left."),
       option<StyleText>("processing_speed", &O::processing_speed)
           .doc("Style of the batches a second."),
       option<StyleText>("metrics", &O::metrics).doc("Style of the metrics."),
       option("metrics_text_delimiter", &O::metrics_text_delimiter).doc("Between two metrics."),
       option<NumberFormat>("metrics_format", &O::metrics_format)
           .doc("Format of a metric's value, as of Python's format().")});
  return table;
}

}  // namespace

RichProgressBar::RichProgressBar(RichProgressBarOptions options)
    : BatchProgressBar([&] {
        options_table().check(options, "RichProgressBar");
        Settings settings{.disabled = options.refresh_rate == 0, .leave = options.leave};
        settings.theme = options.theme;
        if (options.refresh_rate > 0) {
          settings.drawings_per_second = static_cast<double>(options.refresh_rate);
        }
        return settings;
      }()) {}

std::string RichProgressBar::epoch_description(const Trainer& trainer) const {
  const auto epochs = trainer.options().max_epochs;
  if (!epochs.has_value() || *epochs < 0) return BatchProgressBar::epoch_description(trainer);
  return fmt::format("Epoch {}/{}", trainer.current_epoch(), *epochs - 1);
}

const OptionsTable<RichProgressBarOptions>& RichProgressBar::options_table() {
  using O = RichProgressBarOptions;
  static const OptionsTable<O> table(
      "rich_progress_bar", "Shows progress bars in colour, with metrics.",
      {option("refresh_rate", &O::refresh_rate)
           .at_least(0)
           .unit("drawings per second")
           .doc("Redraws per second at most; 0: show nothing."),
       option("leave", &O::leave).doc("Use a new bar for every epoch, and leave it on the screen."),
       group("theme", &O::theme, theme_table())
           .doc("Styles: words out of bold, dim, italic, underline, the eight colours of a "
                "terminal (red, ...) and colours as #6206E0.")});
  return table;
}

}  // namespace grapnel
