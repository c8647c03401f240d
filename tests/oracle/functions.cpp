#include "functions.h"

#include <grapnel/base/error.h>

#include <cmath>

namespace grapnel::oracle {

bool is_function(const Json& value) {
  return value.is_object() && value.contains("$fn");
}

std::function<Json(std::int64_t)> value_function(const Json& value) {
  const std::string& kind = value.at("$fn").as_string();
  if (kind == "const") return [result = value.at("value")](std::int64_t) { return result; };
  if (kind == "pow") {
    return [base = value.at("base").as_double()](std::int64_t i) -> Json {
      return std::pow(base, static_cast<double>(i));
    };
  }
  if (kind == "table") {
    return [values = value.at("values").as_array(),
            fallback = get(value, "default")](std::int64_t i) -> Json {
      const auto index = static_cast<std::size_t>(i);
      if (index < values.size()) return values[index];
      return fallback.is_null() ? values.back() : fallback;
    };
  }
  throw Error("this runner knows no function '" + kind + "' of an integer");
}

std::function<double(std::int64_t)> number_function(const Json& value) {
  return [function = value_function(value)](std::int64_t i) { return function(i).as_double(); };
}

std::function<bool(std::int64_t)> flag_function(const Json& value) {
  return [function = value_function(value)](std::int64_t i) {
    const Json result = function(i);
    return result.is_bool() ? result.as_bool() : result.as_double() != 0.0;
  };
}

double timedelta_seconds(const Json& value) {
  const Json& parts = value.contains("$timedelta") ? value.at("$timedelta") : value;
  double seconds = 0.0;
  for (const auto& [unit, amount, line, column] : parts.as_object()) {
    if (unit == "weeks") {
      seconds += 604800.0 * amount.as_double();
    } else if (unit == "days") {
      seconds += 86400.0 * amount.as_double();
    } else if (unit == "hours") {
      seconds += 3600.0 * amount.as_double();
    } else if (unit == "minutes") {
      seconds += 60.0 * amount.as_double();
    } else if (unit == "seconds") {
      seconds += amount.as_double();
    } else if (unit == "milliseconds") {
      seconds += 1e-3 * amount.as_double();
    } else {
      throw Error("this runner knows no unit of time '" + unit + "'");
    }
  }
  return seconds;
}

}  // namespace grapnel::oracle
