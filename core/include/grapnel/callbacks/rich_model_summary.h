// ModelSummary for terminals: a table with a frame, in colour, as wide as the terminal allows.
//
// After Lightning's class of that name, drawn here without any package. Where there is no terminal
// it is logged as the plain table. Cells that don't fit are cut, the widest column first; the frame
// is made of box characters where the locale is UTF-8, else of '+', '-' and '|'.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "grapnel/base/options_table.h"
#include "grapnel/callbacks/model_summary.h"
#include "grapnel/export.h"

namespace grapnel {

// How a terminal shows things.
struct TextStyle {
  int width = 80;  // columns
  bool utf8 = true;
  bool colour = true;
  std::string header = "bold magenta";  // of the titles
};

// The table and its totals, lines ended by '\n'. Throws ConfigError for a header style that is not
// made of bold, dim, italic, underline and one of the eight colours' names.
GRAPNEL_CORE_API std::string rich_text(const Summary& summary, const TextStyle& style);

struct RichModelSummaryOptions {
  int64_t max_depth = 1;  // as ModelSummary's
  std::string header_style = "bold magenta";
  // Where to write, and how; unset: above the trainer's progress bars when standard error is a
  // terminal, with its width and colours unless NO_COLOR is set; else to the log.
  std::function<void(std::string_view)> write = {};
  TextStyle style = {};
};

class GRAPNEL_CORE_API RichModelSummary : public ModelSummary {
 public:
  // Throws ConfigError for a max_depth below -1 or an unknown header style.
  explicit RichModelSummary(RichModelSummaryOptions options = {});

  static const OptionsTable<RichModelSummaryOptions>& options_table();

 protected:
  void show(Trainer& trainer, const Summary& summary) override;

 private:
  RichModelSummaryOptions options_;
};

}  // namespace grapnel
