#include <algorithm>
#include <string_view>

#include <grapnel/host/manifest.h>

namespace grapnel::host {
namespace {

bool is_digit_character(char c) {
  return c >= '0' && c <= '9';
}
bool is_identifier_character(char c) {
  return is_digit_character(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

// A number without leading zeros.
bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 18 && std::ranges::all_of(text, is_digit_character) &&
         (text == "0" || text.front() != '0');
}

// Calls `accept` with each part between dots; false as soon as it answers false.
template <class Accept>
bool all_parts(std::string_view text, Accept accept) {
  while (true) {
    const std::size_t dot = text.find('.');
    if (!accept(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_identifier(std::string_view part) {
  return !part.empty() && std::ranges::all_of(part, is_identifier_character);
}

// Purely numeric identifiers of a pre-release have no leading zeros either.
bool is_prerelease_identifier(std::string_view part) {
  return is_identifier(part) && (!std::ranges::all_of(part, is_digit_character) || is_number(part));
}

}  // namespace

bool is_semantic_version(std::string_view version) noexcept {
  const std::size_t plus = version.find('+');
  if (plus != std::string_view::npos) {
    if (!all_parts(version.substr(plus + 1), is_identifier)) return false;
    version = version.substr(0, plus);
  }
  const std::size_t dash = version.find('-');
  if (dash != std::string_view::npos) {
    if (!all_parts(version.substr(dash + 1), is_prerelease_identifier)) return false;
    version = version.substr(0, dash);
  }
  return std::ranges::count(version, '.') == 2 && all_parts(version, is_number);
}

}  // namespace grapnel::host
