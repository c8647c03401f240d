// Small helpers for the text of errors, help and tables: nearest names, quoting, sizes, durations.
//
// Rule: text that came from outside (file names, JSON, plugins) goes through printable() or quote()
// before it reaches a terminal or a log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/export.h>

namespace grapnel {

// Optimal string alignment distance in bytes: insertions, deletions, substitutions and swaps of two
// neighbours cost 1 each, and no substring is edited twice (Damerau 1964, restricted edit
// distance).
[[nodiscard]] GRAPNEL_BASE_API std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate that was probably meant by `name`, or nullopt when none is plausible: a distance of
// at most a third of the longer name (at least 1), upper case and '-' for '_' being free; failing
// that, the only candidate that contains `name` or is contained in it as whole words ("epochs" in
// "max_epochs"). Ties go to the earliest candidate. Exact matches are returned too.
[[nodiscard]] GRAPNEL_BASE_API std::optional<std::string> nearest(
    std::string_view name, std::span<const std::string> candidates);
[[nodiscard]] GRAPNEL_BASE_API std::optional<std::string> nearest(
    std::string_view name, std::initializer_list<std::string_view> candidates);

// The end of a message about an unknown name: "; did you mean 'val_loss'?", or "" when nearest()
// has no candidate. The second form is for callers that need the candidate itself too.
[[nodiscard]] GRAPNEL_BASE_API std::string did_you_mean(std::string_view name,
                                                        std::span<const std::string> known);
[[nodiscard]] GRAPNEL_BASE_API std::string did_you_mean(
    std::string_view name, std::initializer_list<std::string_view> known);
[[nodiscard]] GRAPNEL_BASE_API std::string did_you_mean(const std::optional<std::string>& meant);

// "a, b, c"
[[nodiscard]] GRAPNEL_BASE_API std::string join(std::span<const std::string> items,
                                                std::string_view separator = ", ");

// "'a', 'b' or 'c'"; `last` is the word before the last one. Of more than 40 items the first 20
// and the number of the others.
[[nodiscard]] GRAPNEL_BASE_API std::string join_quoted(std::span<const std::string> items,
                                                       std::string_view last = "or");

// The text with everything that could drive a terminal or disguise itself made visible: control
// characters (C0, DEL, C1) as \n, \x1b, \u0085; bidirectional and invisible ones as \u202e; bytes
// that are not UTF-8 as \xff. Longer texts end in "..." after `max_bytes`.
[[nodiscard]] GRAPNEL_BASE_API std::string printable(std::string_view text,
                                                     std::size_t max_bytes = 4096);

// printable() between single quotes: 'val_loss'.
[[nodiscard]] GRAPNEL_BASE_API std::string quote(std::string_view text);

// True when every byte belongs to well-formed UTF-8 (no surrogates, nothing overlong).
[[nodiscard]] GRAPNEL_BASE_API bool is_utf8(std::string_view text) noexcept;

// "0 B", "1.5 KiB", "3.2 GiB": powers of 1024, one decimal below 100.
[[nodiscard]] GRAPNEL_BASE_API std::string human_bytes(std::uint64_t bytes);

// "950", "1.2 K", "3.4 M", "7.0 B": powers of 1000, as model summaries print counts of parameters.
[[nodiscard]] GRAPNEL_BASE_API std::string human_count(std::uint64_t count);

// "830 ms", "12.3 s", "4 min 05 s", "2 h 03 min", "3 d 04 h" for a number of seconds.
[[nodiscard]] GRAPNEL_BASE_API std::string human_seconds(double seconds);

// Seconds of a "DD:HH:MM:SS" duration as Lightning's Timer takes it: days of one or more digits,
// then two digits each ("00:00:90:00" is an hour and a half), spaces around it ignored. nullopt
// when the text is anything else or does not fit.
[[nodiscard]] GRAPNEL_BASE_API std::optional<std::int64_t> parse_duration(std::string_view text);

}  // namespace grapnel
