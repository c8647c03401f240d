// Where progress bars are drawn: a terminal (<grapnel/terminal_progress.h>), a log, nowhere, or
// wherever the program that uses the library shows things. TrainerOptions::progress takes one.
//
// Bars are made by callbacks (ProgressBar and those derived from it) and used from the training
// thread alone; print() may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

// Shown next to a bar, in order: metrics, the logger's version.
using PostfixValue = std::variant<std::int64_t, double, std::string>;
using Postfix = std::vector<std::pair<std::string, PostfixValue>>;

// A number in at most about five characters, so that a line doesn't flicker: "0.123", "12.30",
// "1e-8"; integers as they are.
GRAPNEL_CORE_API std::string format_postfix_value(const PostfixValue& value);

// The look of a bar in colour. A style is a list of words: "bold", "dim", "italic", "underline",
// one of the eight colours of a terminal ("red") or "#rrggbb"; "" is the terminal's own.
struct BarTheme {
  std::string description = "";
  std::string progress_bar = "#6206E0";
  std::string progress_bar_finished = "#6206E0";
  std::string progress_bar_pulse = "#6206E0";  // while the total is unknown
  std::string batch_progress = "";
  std::string time = "dim";
  std::string processing_speed = "dim underline";
  std::string metrics = "italic";
  std::string metrics_text_delimiter = " ";
  std::string metrics_format = ".3f";  // as Python's format()
};

struct BarOptions {
  std::string description;             // "Epoch 0"
  int position = 0;                    // line of the bar, from 0 at the top
  bool leave = true;                   // its last line stays when it is closed
  bool disable = false;                // never shown: only close() is called on it
  std::optional<BarTheme> theme = {};  // nothing: a plain bar
  std::optional<double> drawings_per_second =
      {};  // at most, on a terminal; nothing: the sink's own
};

class GRAPNEL_CORE_API Bar {
 public:
  // A bar that goes without close() leaves the screen as it is, with the cursor below it.
  virtual ~Bar();

  // Starts from 0 again: count, time and rate.
  virtual void reset() = 0;
  virtual void set_total(std::optional<std::int64_t> total) = 0;  // nothing: unknown
  virtual void set_description(std::string_view description) = 0;
  // The count. True when it is time to show it, and worth updating the postfix. If a postfix follows
  // set_n() == true once, it must always follow; both are drawn together.
  virtual bool set_n(std::int64_t n) = 0;
  virtual void set_postfix(const Postfix& postfix) = 0;
  // May be called again.
  virtual void close() = 0;
};

// A line of text, cut to the width; a style as in BarTheme.
struct StyledLine {
  std::string text;
  std::string style = {};
};

// Lines that stay below the bars until they are replaced.
class GRAPNEL_CORE_API TextArea {
 public:
  virtual ~TextArea();  // takes its lines away
  // At once, or with the next drawing where the last one was a moment ago; no lines: at once. Throws
  // ConfigError for a style that isn't one.
  virtual void set_lines(std::vector<StyledLine> lines) = 0;
};

// Where a sink draws.
struct ScreenFacts {
  bool is_terminal = false;
  int columns = 80;
  bool utf8 = false;
  std::int64_t colors = 0;  // 0, 8, 256 or 16777216
};

class GRAPNEL_CORE_API ProgressSink {
 public:
  virtual ~ProgressSink();
  virtual std::unique_ptr<Bar> make_bar(const BarOptions& options) = 0;
  // A line of text above the bars.
  virtual void print(std::string_view line) = 0;
  // nullptr: nowhere, as by default.
  virtual std::unique_ptr<TextArea> make_text_area();
  virtual ScreenFacts facts() const { return {}; }
};

}  // namespace grapnel
