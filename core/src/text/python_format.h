// Numbers as Python writes them: file names, metrics.csv and state keys are Lightning's to the
// letter.
//
// Nothing here depends on the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace grapnel {

using PythonNumber = std::variant<std::int64_t, double>;

// repr(): "3.0", "0.1", "1e-05", "1e+16", "nan", "-inf"; the fewest digits that read back the same.
std::string python_repr(double value);
// repr() of a string: 'val_loss'.
std::string python_repr(std::string_view text);
// repr() of datetime.timedelta(seconds=...): "datetime.timedelta(seconds=30)".
std::string python_timedelta_repr(double seconds);

// format(value, spec): "02d", ".2f", ">8.3e", "%". Throws ConfigError for a specification that is
// none, or not one for this type ("d" with a double).
std::string python_format(const PythonNumber& value, std::string_view spec);

}  // namespace grapnel
