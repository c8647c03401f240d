// What a person probably did wrong in a JSON text, given where the parser stopped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace grapnel::detail {

struct JsonSlip {
  std::size_t offset;   // where the error should point; at most the text's size
  std::string message;  // "a comma is missing before this string"
};

// `offset` is the first byte that the parser did not accept; `parser_says` is its own description,
// used where there is no better one.
JsonSlip explain_json_slip(std::string_view text, std::size_t offset, std::string_view parser_says);

}  // namespace grapnel::detail
