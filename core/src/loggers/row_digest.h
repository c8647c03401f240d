// A number for the rows of a file so far, by which a resumed run knows the file again wherever its
// directory is by then.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grapnel/state_dict.h"

namespace grapnel {

class RowDigest {
 public:
  RowDigest() = default;
  // Of a state; CheckpointError unless it is one that state() returned.
  explicit RowDigest(const StateDict& state);

  std::int64_t rows() const { return rows_; }
  void add(std::string_view row);

  // {"rows", "digest", "digests": those after 1, 2, 4, 8, ... rows}
  StateDict state() const;

  // Whether these rows begin as the other ones do. Of a file with fewer rows than the other one,
  // only as many as the greatest power of two can be compared.
  bool begins_as(const RowDigest& other) const;

 private:
  std::int64_t rows_ = 0;
  std::uint64_t digest_ = 0xcbf29ce484222325;  // FNV-1a, 64 bits
  std::vector<std::int64_t> at_powers_;
};

}  // namespace grapnel
