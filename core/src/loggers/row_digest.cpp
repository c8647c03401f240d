#include "loggers/row_digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "grapnel/base/error.h"

namespace grapnel {

RowDigest::RowDigest(const StateDict& state)
    : rows_(state.at("rows").to_int()),
      digest_(static_cast<std::uint64_t>(state.at("digest").to_int())) {
  for (const StateValue& digest : state.at("digests").to_list()) {
    at_powers_.push_back(digest.to_int());
  }
  const auto expected = rows_ < 0 ? 0 : std::bit_width(static_cast<std::uint64_t>(rows_));
  if (rows_ < 0 || at_powers_.size() != static_cast<std::size_t>(expected)) {
    throw CheckpointError({}, fmt::format("a logger's state has {} rows with {} digests, expected "
                                          "one for each power of two up to the rows",
                                          rows_, at_powers_.size()));
  }
}

void RowDigest::add(std::string_view row) {
  constexpr std::uint64_t kPrime = 0x100000001b3;
  for (const char c : row) digest_ = (digest_ ^ static_cast<unsigned char>(c)) * kPrime;
  digest_ = (digest_ ^ '\n') * kPrime;
  ++rows_;
  if (std::has_single_bit(static_cast<std::uint64_t>(rows_))) {
    at_powers_.push_back(static_cast<std::int64_t>(digest_));
  }
}

StateDict RowDigest::state() const {
  StateList digests;
  for (const std::int64_t digest : at_powers_) digests.emplace_back(digest);
  return {{"rows", rows_},
          {"digest", static_cast<std::int64_t>(digest_)},
          {"digests", std::move(digests)}};
}

bool RowDigest::begins_as(const RowDigest& other) const {
  if (rows_ == other.rows_) return digest_ == other.digest_;
  const std::size_t common = std::min(at_powers_.size(), other.at_powers_.size());
  return common == 0 || at_powers_[common - 1] == other.at_powers_[common - 1];
}

}  // namespace grapnel
