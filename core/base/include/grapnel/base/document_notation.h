// How a checkpoint's document writes what JSON lacks: as an object with one key that starts with
// "$".
//
//   {"$tensor": "model.weight"}   a tensor of the file; complex ones as pairs of numbers, with
//                                 "dtype": "complex64" or "complex128" added
//   {"$tensor": null}             an undefined tensor
//   {"$number": "nan"}            a double that is not finite: "nan", "inf", "-inf"
//   {"$bytes": "00ff"}            a string that is not UTF-8, in hexadecimal
//   {"$dict": [[key, value]]}     a dict with a key that is not UTF-8 or starts with "$"
//
// All readers throw ConfigError, positioned, for something else.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/base/export.h>
#include <grapnel/base/json.h>

namespace grapnel::document {

inline constexpr std::string_view tensor_key = "$tensor";
inline constexpr std::string_view number_key = "$number";

// text: any bytes.
[[nodiscard]] GRAPNEL_BASE_API ConfigValue write_text(const std::string& text);
[[nodiscard]] GRAPNEL_BASE_API ConfigValue write_number(double number);
// The keys are any bytes, and differ.
[[nodiscard]] GRAPNEL_BASE_API ConfigValue
write_dict(std::vector<std::pair<std::string, ConfigValue>> items);

// Is it {"$bytes": ...}?
[[nodiscard]] GRAPNEL_BASE_API bool is_bytes(const ConfigValue& value) noexcept;
[[nodiscard]] GRAPNEL_BASE_API std::string read_text(const ConfigValue& value);
// In the document's order; the values are borrowed from it.
[[nodiscard]] GRAPNEL_BASE_API std::vector<std::pair<std::string, const ConfigValue*>> read_dict(
    const ConfigValue& value);

}  // namespace grapnel::document
