// The commands that train are in a second program, grapnel-run, so that this one starts without
// LibTorch. Their arguments are passed on without being parsed.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace grapnel::program {

[[nodiscard]] bool is_run_command(std::string_view name);

// Adds them to the help only.
void add_run_commands(CLI::App& app);

// Replaces this process by `grapnel-run ARGUMENTS...`. Error when that program is not installed.
[[noreturn]] void run_program(const std::vector<std::string>& arguments);

// The program that trains with LibTorch; empty when it is not installed.
[[nodiscard]] std::filesystem::path training_program();

}  // namespace grapnel::program
