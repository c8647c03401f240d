// Output of the program: results go to standard output, everything else to standard error. Colour
// only on a terminal, and only when NO_COLOR (no-color.org) is not set.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>

#include <grapnel/base/json.h>
#include <grapnel/base/platform.h>

namespace grapnel::program {

enum class Color : std::uint8_t { none, bold, dim, red, green, yellow };

// The text in a colour, when the stream shows colours.
[[nodiscard]] std::string paint(std::string_view text, Color color, Stream stream = Stream::output);

// Columns of standard output; 0 (no limit) when it is not a terminal.
[[nodiscard]] int output_width();

// Writes to standard output. Throws IoError when that fails (a full disk, a closed pipe).
void print(std::string_view text);
void print_json(const ConfigValue& value);

// The text with all that could drive a terminal made visible (printable()); its lines stay lines.
[[nodiscard]] std::string terminal_text(std::string_view text);
// What an exception says, for print_error(); in plain words for std::filesystem's own.
[[nodiscard]] std::string error_text(const std::exception& error);

// "grapnel: error: <text>" on standard error; "See '<command> --help'." below when `command` is
// given.
void print_error(std::string_view text, std::string_view command = {});

// Sends the library's warnings and errors to standard error.
void show_log();

}  // namespace grapnel::program
