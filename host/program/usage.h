// What the user probably meant by a word that is no subcommand and no option.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace grapnel::program {

// The innermost command that was recognized: `grapnel plugin enable` of "grapnel plugin enable --al".
[[nodiscard]] const CLI::App& innermost(const CLI::App& app);

// "grapnel plugin enable"
[[nodiscard]] std::string full_name(const CLI::App& command);

// Why the arguments are not understood, as a sentence that names the nearest known word.
[[nodiscard]] std::string explain_usage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace grapnel::program
