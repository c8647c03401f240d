// The data loaders of one stage with their limits, and the walk over their batches.
//
// Knows, before a batch is handed out, whether it is the last: from the loader's size, or, when it
// has none, by fetching one batch ahead. A loader that gives fewer batches than its size or the limit
// says ends where its data do, with a warning.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "grapnel/data.h"
#include "grapnel/trainer_options.h"

namespace grapnel {

inline constexpr int64_t kUnlimited = -1;

struct LoaderSet {
  DataLoaders loaders;
  std::vector<int64_t> limits;  // batches of each loader; kUnlimited: until it ends
  bool loaded = false;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::min() / 2;
  int64_t last_reload_epoch = kNever;

  int64_t total() const;  // kUnlimited when any is
};

// Batches to take of a loader: throws ConfigError when a fraction amounts to none, or when the
// loader has no size to take a fraction of. stage: "train", "val", "test" or "predict", for the
// text.
int64_t limited_batches(std::optional<int64_t> size, const Amount& amount, const char* stage);

// Replaces a sequential CombinedLoader by its sources, which count as separate loaders.
DataLoaders separate_loaders(const DataLoaders& loaders);

// The loaders that batches come from in the end: a CombinedLoader's sources instead of itself.
DataLoaders source_loaders(const DataLoaders& loaders);

// Whether a walk over the one moves the position of a walk over the other: a loader without a
// cursor of its own is in both.
bool share_position(const DataLoaders& one, const DataLoaders& other);

// Walks over loaders one after the other, on cursors of their own where they have such.
class Fetcher {
 public:
  struct Item {
    Batch batch;
    int64_t batch_idx;
    int64_t dataloader_idx;
    bool is_last;  // no batch follows, of any loader
  };

  Fetcher() = default;
  // epoch: decides the order of shuffled loaders. stage: as for limited_batches. skip: batches
  // already consumed, of the first loader.
  Fetcher(DataLoaders loaders, std::vector<int64_t> limits, int64_t epoch, const char* stage,
          int64_t skip = 0);

  std::optional<Item> next();
  // Another walk has moved the position of these loaders: before the next batch is fetched, the
  // current one is started again and skips to where it was.
  void lose_position() { lost_position_ = true; }

 private:
  bool exhausted_by_count() const;

  DataLoaders loaders_;
  std::vector<int64_t> limits_;
  int64_t epoch_ = 0;
  const char* stage_ = "";
  size_t current_ = 0;
  int64_t taken_ = 0;  // of the current loader
  bool started_ = false;
  bool lost_position_ = false;
  bool lookahead_ = false;  // some loader has no size
  std::optional<Item> ahead_;
  bool primed_ = false;

  std::optional<Item> advance();
  void warn_of_early_end() const;
};

}  // namespace grapnel
