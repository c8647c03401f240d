#include <grapnel/base/text.h>

#include <algorithm>
#include <cctype>

#include "decode_utf8.h"

namespace grapnel {
namespace {

// Differences between a typo and a name that cost nothing: upper case, '-' for '_'.
std::string folded(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c == '-') c = '_';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_word_edge(std::string_view text, std::size_t at) {
  if (at == 0 || at == text.size()) return true;
  const auto separates = [](char c) { return c == '_' || c == '.' || c == '/' || c == ' '; };
  return separates(text[at]) || separates(text[at - 1]);
}

// True when `part` is one or several whole words of `whole`.
bool contains_words(std::string_view whole, std::string_view part) {
  if (part.size() < 3 || part.size() >= whole.size()) return false;
  for (auto at = whole.find(part); at != std::string_view::npos; at = whole.find(part, at + 1)) {
    if (is_word_edge(whole, at) && is_word_edge(whole, at + part.size())) return true;
  }
  return false;
}

template <class Candidates>
std::optional<std::string> nearest_of(std::string_view name, const Candidates& candidates) {
  constexpr std::size_t longest = 256;  // keeps a hostile key from costing time
  if (name.empty() || name.size() > longest) return std::nullopt;
  const std::string wanted = folded(name);
  std::optional<std::string> best;
  std::size_t best_distance = 0;
  std::optional<std::string> related;
  std::size_t related_count = 0;
  for (const auto& candidate : candidates) {
    const std::string_view view(candidate);
    if (view.empty() || view.size() > longest) continue;
    if (view == name) return std::string(view);
    const std::string known = folded(view);
    const std::size_t allowed = std::max<std::size_t>(1, std::max(name.size(), view.size()) / 3);
    const std::size_t distance = edit_distance(wanted, known);
    // Short names are all close to one another: something must be left of the shorter one.
    const bool plausible = distance <= allowed && distance < std::min(name.size(), view.size());
    if (plausible && (!best || distance < best_distance)) {
      best = std::string(view);
      best_distance = distance;
    }
    if (contains_words(known, wanted) || contains_words(wanted, known)) {
      if (++related_count == 1) related = std::string(view);
    }
  }
  if (best) return best;
  return related_count == 1 ? related : std::nullopt;
}

// Bidirectional controls and characters without width disguise a text.
bool disguises(std::uint32_t c) {
  return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x061c ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

std::string hexadecimal(std::uint32_t value, int digits) {
  std::string out;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out += "0123456789abcdef"[(value >> shift) & 0xf];
  }
  return out;
}

void append_escaped(std::string& out, std::uint32_t c) {
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\t') {
    out += "\\t";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c < 0x80) {
    out += "\\x" + hexadecimal(c, 2);
  } else if (c < 0x10000) {
    out += "\\u" + hexadecimal(c, 4);
  } else {
    out += "\\U" + hexadecimal(c, 8);
  }
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: two back is needed for swaps.
  std::vector<std::size_t> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) current[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(previous);
    previous.swap(current);
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = a[i - 1] == b[j - 1] ? 0 : 1;
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
  }
  return current[b.size()];
}

std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
  return nearest_of(name, candidates);
}

std::optional<std::string> nearest(std::string_view name,
                                   std::initializer_list<std::string_view> candidates) {
  return nearest_of(name, candidates);
}

std::string did_you_mean(const std::optional<std::string>& meant) {
  return meant ? "; did you mean " + quote(*meant) + "?" : std::string();
}

std::string did_you_mean(std::string_view name, std::span<const std::string> known) {
  return did_you_mean(nearest(name, known));
}

std::string did_you_mean(std::string_view name, std::initializer_list<std::string_view> known) {
  return did_you_mean(nearest(name, known));
}

std::string join(std::span<const std::string> items, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += separator;
    out += items[i];
  }
  return out;
}

std::string join_quoted(std::span<const std::string> items, std::string_view last) {
  constexpr std::size_t kMostShown = 40;
  const std::size_t shown = items.size() > kMostShown ? kMostShown / 2 : items.size();
  std::string out;
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == items.size() ? " " + std::string(last) + " " : std::string(", ");
    out += quote(items[i]);
  }
  if (shown < items.size()) {
    out += " " + std::string(last) + " " + std::to_string(items.size() - shown) + " others";
  }
  return out;
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (at >= max_bytes) return out + "...";
    const detail::CodePoint point = detail::decode_utf8(text, at);
    if (point.bytes == 0) {
      out += "\\x" + hexadecimal(static_cast<unsigned char>(text[at]), 2);
      ++at;
      continue;
    }
    const bool control = point.value < 0x20 || (point.value >= 0x7f && point.value < 0xa0);
    if (control || disguises(point.value)) {
      append_escaped(out, point.value);
    } else {
      out += text.substr(at, point.bytes);
    }
    at += point.bytes;
  }
  return out;
}

std::string quote(std::string_view text) {
  return "'" + printable(text) + "'";
}

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = detail::decode_utf8(text, at).bytes;
    if (bytes == 0) return false;
    at += bytes;
  }
  return true;
}

}  // namespace grapnel
