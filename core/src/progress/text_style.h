// Styles of text on a terminal, as SGR sequences (ECMA-48, 8.3.117), and how many colours it has.
#pragma once

#include <string>
#include <string_view>

#include "grapnel/terminal_progress.h"

namespace grapnel {

// The sequence that begins a style such as "bold #6206E0"; empty for "" and where there are no
// colours. Throws ConfigError for a word that is none of a style's.
std::string style_sequence(std::string_view style, TerminalColors colors);

// The text in that style, ended behind it; the text alone when the style is empty.
std::string styled(std::string_view text, std::string_view style, TerminalColors colors);

// What the terminal of standard error is said to show: nothing where NO_COLOR is set
// (no-color.org), 2^24 colours where COLORTERM is "truecolor" or "24bit", 256 where TERM says so,
// else 8.
TerminalColors terminal_colors();

}  // namespace grapnel
