// Arguments of a case that stand for functions: {"$fn": "table", "values": [..], "default": d} and so on.
#pragma once

#include <cstdint>
#include <functional>

#include "json.h"

namespace grapnel::oracle {

bool is_function(const Json& value);

// "table", "const" or "pow": integer -> value. What is past the end of a table is its default, else
// its last value.
std::function<Json(std::int64_t)> value_function(const Json& value);
std::function<double(std::int64_t)> number_function(const Json& value);
std::function<bool(std::int64_t)> flag_function(const Json& value);

// {"$timedelta": {"seconds": s, "minutes": m, ...}} in seconds, {"seconds": s, ...} alike.
double timedelta_seconds(const Json& value);

}  // namespace grapnel::oracle
