// The text of one bar with a theme, in colour:
// "Epoch 3/14 ━━━━━━━━━━━━━━━━━━━━━━━━━╺━━━━━━━━━━━━ 200/300 0:00:07 • 0:00:03 28.10it/s loss:
// 0.123"
#pragma once

#include <string>
#include <vector>

#include "grapnel/terminal_progress.h"
#include "progress/bar_line.h"

namespace grapnel {

struct RichLook {
  BarTheme theme;
  TerminalColors colors = TerminalColors::none;
  bool utf8 = true;
};

// At most `width` columns on the terminal. The bar gives way first, then metrics are left out
// whole, the last ones first, then the line is cut.
std::string rich_line(const BarState& state, int width, const RichLook& look);

// "loss: 0.123"
std::vector<std::string> rich_postfix_texts(const Postfix& postfix, const BarTheme& theme);

}  // namespace grapnel
