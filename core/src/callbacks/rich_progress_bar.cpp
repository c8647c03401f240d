#include "grapnel/callbacks/rich_progress_bar.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/trainer.h"
#include "progress/rich_line.h"

namespace grapnel {

namespace {

RichProgressBarOptions checked_rich_options(RichProgressBarOptions options) {
  if (options.refresh_rate < 0) {
    throw ConfigError({},
                      fmt::format("RichProgressBar: refresh_rate is {}; accepted are 0 and more",
                                  options.refresh_rate),
                      "refresh_rate");
  }
  check_theme(options.theme, "theme");
  return options;
}

struct ThemeField {
  const char* name;
  std::string BarTheme::*field;
  const char* doc;
};

constexpr ThemeField kThemeFields[] = {
    {"description", &BarTheme::description, "Style of what the bar is about."},
    {"progress_bar", &BarTheme::progress_bar, "Style of the bar."},
    {"progress_bar_finished", &BarTheme::progress_bar_finished, "Style of a bar that is full."},
    {"progress_bar_pulse", &BarTheme::progress_bar_pulse, "Style of a bar whose total is unknown."},
    {"batch_progress", &BarTheme::batch_progress, "Style of the number of batches."},
    {"time", &BarTheme::time, "Style of the time elapsed and left."},
    {"processing_speed", &BarTheme::processing_speed, "Style of the batches a second."},
    {"metrics", &BarTheme::metrics, "Style of the metrics."},
    {"metrics_text_delimiter", &BarTheme::metrics_text_delimiter, "Between two metrics."},
    {"metrics_format", &BarTheme::metrics_format,
     "Format of a metric's value, as of Python's format()."}};

ParameterTable theme_table() {
  const BarTheme fallback;
  std::vector<ParameterSpec> fields;
  for (const ThemeField& field : kThemeFields) {
    fields.push_back(parameter::string(field.name, fallback.*field.field).doc(field.doc));
  }
  return ParameterTable("theme", "What the parts of a bar look like.", std::move(fields));
}

}  // namespace

RichProgressBar::RichProgressBar(RichProgressBarOptions options)
    : BatchProgressBar([&] {
        const RichProgressBarOptions checked = checked_rich_options(std::move(options));
        Settings settings{.disabled = checked.refresh_rate == 0, .leave = checked.leave};
        settings.theme = checked.theme;
        if (checked.refresh_rate > 0) {
          settings.drawings_per_second = static_cast<double>(checked.refresh_rate);
        }
        return settings;
      }()) {}

std::string RichProgressBar::epoch_description(const Trainer& trainer) const {
  const auto epochs = trainer.options().max_epochs;
  if (!epochs.has_value() || *epochs < 0) return BatchProgressBar::epoch_description(trainer);
  return fmt::format("Epoch {}/{}", trainer.current_epoch(), *epochs - 1);
}

const ParameterTable& RichProgressBar::parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "rich_progress_bar", "Shows progress bars in colour, with metrics.",
      {integer("refresh_rate", 100)
           .at_least(0)
           .unit("drawings per second")
           .doc("Drawings a second at most; 0: show nothing."),
       boolean("leave", false).doc("A bar of its own for every epoch, which stays."),
       object("theme", theme_table())
           .doc(
               "Styles: words out of bold, dim, italic, underline, the eight colours of a terminal "
               "(red, ...) and colours as #6206E0.")});
  return table;
}

std::shared_ptr<RichProgressBar> RichProgressBar::from(const Parameters& p) {
  RichProgressBarOptions options{.refresh_rate = p.get<int64_t>("refresh_rate"),
                                 .leave = p.get<bool>("leave")};
  const auto theme = p.get<Parameters>("theme");
  for (const ThemeField& field : kThemeFields) {
    options.theme.*field.field = theme.get<std::string>(field.name);
  }
  return std::make_shared<RichProgressBar>(std::move(options));
}

}  // namespace grapnel
