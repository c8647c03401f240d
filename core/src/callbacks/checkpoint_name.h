// Names of checkpoint files, made from a template such as "{epoch}-{val_loss:.2f}".
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/python_format.h"

namespace grapnel {

// Replaces "{name}" and "{name:format}" by the metric's value (0 for one that isn't there),
// preceded by "name" + equals where that isn't empty; "{{" and "}}" are braces. Throws ConfigError
// for a brace that is not closed, or a format that doesn't fit.
std::string format_checkpoint_template(
    std::string_view text, const std::vector<std::pair<std::string, PythonNumber>>& metrics,
    std::string_view equals);

// Is a file's stem `name`, or `name` with a version ("last-v2")?
bool is_version_of(std::string_view stem, std::string_view name, std::string_view join);

}  // namespace grapnel
