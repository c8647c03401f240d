// Progress bars on a terminal, or as lines in a log where there is no terminal.
//
// On a terminal the bars are below everything that print() writes, are redrawn ten times a second
// at most, and follow its width. Elsewhere a bar is one plain line, without control codes, every
// ten seconds and when it is finished. A step that draws nothing costs one reading of the clock.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "grapnel/base/clock.h"
#include "grapnel/export.h"
#include "grapnel/progress.h"

namespace grapnel {

// How many colours a terminal shows: none, 8, 256, 2^24.
enum class TerminalColors { none, few, some, all };

struct GRAPNEL_CORE_API TerminalOptions {
  // Writes a piece of the screen, in one go.
  std::function<void(std::string_view)> write = {};
  // Columns of the terminal, asked for at each drawing. Nothing, when the sink is made: no
  // terminal.
  std::function<std::optional<int>()> width = {};
  bool utf8 = true;                              // draw with block characters; else with '#'
  TerminalColors colors = TerminalColors::none;  // of bars with a theme
  double interval = 0.1;                         // seconds between two drawings
  double line_interval = 10.0;                   // seconds between two lines, without a terminal
  const Clock* clock = nullptr;                  // nullptr: the system's

  // Standard error, with its width, and UTF-8 when the locale's variables say so (LC_ALL, LC_CTYPE,
  // LANG). TERM=dumb counts as no terminal. Colours: none where NO_COLOR is set, else as COLORTERM
  // and TERM say.
  static TerminalOptions for_stderr();
};

class GRAPNEL_CORE_API TerminalSink final : public ProgressSink {
 public:
  explicit TerminalSink(TerminalOptions options = TerminalOptions::for_stderr());
  ~TerminalSink() override;

  std::unique_ptr<Bar> make_bar(const BarOptions& options) override;
  // May contain line breaks. [any-thread]
  void print(std::string_view text) override;
  // Nothing where there is no terminal.
  std::unique_ptr<TextArea> make_text_area() override;
  ScreenFacts facts() const override;

 private:
  class Screen;
  class TerminalBar;
  class TerminalText;
  std::shared_ptr<Screen> screen_;
};

}  // namespace grapnel
