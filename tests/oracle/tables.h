// Tables in text: compared by their cells, so that the width of a column is free.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace grapnel::oracle {

// A model summary: several lines, with columns separated by "|".
bool is_table(std::string_view text);

// The first line whose cells differ; lines of dashes and empty lines count as rulers.
std::optional<std::string> table_difference(std::string_view recorded, std::string_view ours);

}  // namespace grapnel::oracle
