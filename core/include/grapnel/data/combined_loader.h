// Several loaders as one: their batches side by side, or one after the other.
//
// A combined batch holds the tensors of its parts in order, under "<source>.<name>", or
// "<source>.<number>" for one without a name: batch["labelled.x"], batch["unlabelled.0"].
//
// mode            an epoch ends
// min_size        with the shortest loader
// max_size_cycle  with the longest; shorter ones start again, each round in another order (what
//                 Lightning does with a list of training loaders)
// max_size        with the longest; tensors of one that has ended are undefined
// sequential      after the last; only for evaluation and prediction, where its sources count as
//                 separate loaders, each with its dataloader_idx
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/data.h"
#include "grapnel/export.h"

namespace grapnel {

enum class CombinedMode { min_size, max_size_cycle, max_size, sequential };

GRAPNEL_CORE_API std::string_view to_string(CombinedMode mode);

class GRAPNEL_CORE_API CombinedLoader final : public DataLoader {
 public:
  struct Source {
    std::string name;  // not empty, and no other's
    std::shared_ptr<DataLoader> loader;
  };

  // Throws ConfigError for no source, a null loader, a name that is empty or there twice, or, unless
  // they come one after the other, twice the same loader without a cursor() of its own.
  CombinedLoader(std::vector<Source> sources, CombinedMode mode);

  CombinedMode mode() const { return mode_; }
  const std::vector<Source>& sources() const { return sources_; }

  // Nothing when it depends on a loader that doesn't know its own.
  std::optional<int64_t> size() const override;
  void start(int64_t epoch) override;
  // Throws DataError for a part with a payload, which can't be combined, and under max_size_cycle
  // for a loader without any batch.
  std::optional<Batch> next() override;
  // Of the sources' cursors.
  std::shared_ptr<DataLoader> cursor() const override;
  bool shuffles() const override;
  void set_shuffle(bool on) override;

 private:
  struct Walk {
    std::shared_ptr<DataLoader> loader;  // a cursor of the source, or the source itself
    bool ended = false;                  // has given all its batches at least once
    int64_t round = 0;                   // times that it started again in this epoch
    Batch last = {};                     // for how many tensors, and what names, an ended one has
  };

  std::optional<Batch> next_in_sequence();
  std::optional<Batch> next_part(size_t index);

  std::vector<Source> sources_;
  CombinedMode mode_;
  std::vector<Walk> walks_;
  int64_t epoch_ = 0;
  size_t current_ = 0;  // sequential: the source whose turn it is
  bool started_ = false;
};

}  // namespace grapnel
