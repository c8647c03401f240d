// How the program speaks: answers on standard output, everything else on standard error, colour only
// on a terminal and only where NO_COLOR (no-color.org) is not set.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <grapnel/base/json.h>
#include <grapnel/base/platform.h>

namespace grapnel::program {

enum class Color : std::uint8_t { none, bold, dim, red, green, yellow };

// The text in a colour, when the stream shows colours.
[[nodiscard]] std::string paint(std::string_view text, Color color, Stream stream = Stream::output);

// Columns of standard output; 0, no limit, where it is no terminal.
[[nodiscard]] int output_width();

// Writes to standard output. Throws IoError when nobody takes it (a full disk, a closed pipe).
void print(std::string_view text);
void print_json(const ConfigValue& value);

// "grapnel: error: <text>" on standard error; "See '<command> --help'." below when that is given.
void print_error(std::string_view text, std::string_view command = {});

// Sends the library's warnings and errors to standard error.
void show_log();

}  // namespace grapnel::program
