// The child's report to its parent: one line of JSON, written when its check is done.
#pragma once

#include <filesystem>
#include <optional>

#include "check.h"

namespace grapnel::validation {

void write_report(const std::filesystem::path& file, const Verdict& verdict);
// nullopt when the child wrote none.
[[nodiscard]] std::optional<Verdict> read_report(const std::filesystem::path& file);

}  // namespace grapnel::validation
