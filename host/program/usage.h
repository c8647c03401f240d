// Explains usage errors and suggests the subcommand or option that was probably meant.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace grapnel::program {

// The innermost command that was recognized: `grapnel plugin enable` of "grapnel plugin enable
// --al".
[[nodiscard]] const CLI::App& innermost(const CLI::App& app);

// "grapnel plugin enable"
[[nodiscard]] std::string full_name(const CLI::App& command);

// What is wrong with the arguments, with the nearest known word.
[[nodiscard]] std::string explain_usage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace grapnel::program
