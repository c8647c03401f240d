// The data of a case: samples computed from their index, and loaders that are never shuffled.
#pragma once

#include <grapnel/data.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "json.h"

namespace grapnel::oracle {

// "n", "batch", "offset", "target", "drop_last", "iterable" of the case format.
struct Samples {
  explicit Samples(const Json& spec);

  std::int64_t count;
  std::int64_t batch;
  std::int64_t offset;
  bool classes;  // target "cls": the class, int64 [N]; else "reg": float32 [N, 1]
  bool drop_last;
  bool iterable;  // the loader doesn't know how many there are

  // Samples begin..end-1: x as float32 [N, 4], and the target.
  Batch range(std::int64_t begin, std::int64_t end) const;
};

// batch_size: nothing means the spec's own.
std::shared_ptr<DataLoader> make_loader(const Json& spec, std::optional<std::int64_t> batch_size);
DataLoaders make_loaders(const Json& specs, std::optional<std::int64_t> batch_size);

}  // namespace grapnel::oracle
