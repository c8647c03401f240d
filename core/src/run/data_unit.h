// What a position in the training data means.
//
// A position is a number of batches of an epoch. A resumed run may have batches of another size,
// another number of them or another order, so a checkpoint keeps what its batches were, and a run
// that resumes within an epoch compares (fit_loop_position.cpp). Where the sizes differ, a position
// is converted by the samples before it. That is exact where they are whole batches here too; else
// it is the batch that has the next sample in it. A loader that doesn't say its batch size has that
// of the batches that it gave, if they were all of one size. What isn't known is not compared.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/data.h"
#include "grapnel/state_dict.h"

namespace grapnel {

struct DataUnit {
  // One of the loaders that batches come from: there are several in a CombinedLoader.
  struct Source {
    std::optional<int64_t> batch_size;
    bool is_measured = false;  // the loader doesn't say its batch size
    std::optional<int64_t> samples;
    bool drops_last = false;
    bool shuffles = false;
    std::optional<uint64_t> seed;

    // Samples of it in the first batches of an epoch. repeats: it begins again where it ends.
    int64_t samples_in(int64_t batches, bool repeats) const;
  };

  // As they are set now. batches: of an epoch, with its limit; -1: unknown.
  static DataUnit of(const std::shared_ptr<DataLoader>& loader, int64_t batches);
  // Throws CheckpointError for values that no training can have had.
  static DataUnit from_state(const StateDict& state);
  StateDict state() const;

  int64_t batches = -1;
  int64_t accumulate_grad_batches = 1;
  bool repeats = false;  // sources that end before the longest one begin again
  std::vector<Source> sources;
};

// "12 batches of 4 samples".
std::string to_string(const DataUnit& unit);

// The size that the batches of an epoch have had so far.
class MeasuredSize {
 public:
  void add(int64_t samples) {
    is_same_ = !any_ || (is_same_ && samples == size_);
    size_ = samples;
    any_ = true;
  }
  // Nothing: it varies, or no batch but an epoch's last, which may be smaller, has come.
  std::optional<int64_t> size() const {
    return is_same_ && size_ > 0 ? std::optional(size_) : std::nullopt;
  }

 private:
  int64_t size_ = 0;
  bool any_ = false;
  bool is_same_ = false;
};

// From the data of a checkpoint to those of the run that resumes from it.
class UnitChange {
 public:
  UnitChange(DataUnit from, DataUnit to) : from_(std::move(from)), to_(std::move(to)) {}

  const DataUnit& from() const { return from_; }
  const DataUnit& to() const { return to_; }

  // Whether positions are to be converted by samples.
  bool is_other_size() const;
  bool is_other_length() const { return from_.batches != to_.batches; }
  bool is_other_accumulation() const {
    return from_.accumulate_grad_batches != to_.accumulate_grad_batches;
  }
  // A position there as one here, in batches; not limited to the batches of an epoch.
  int64_t convert(int64_t batches) const;
  // What a run that continues at convert(batches) does again or leaves out, as a text; empty: nothing.
  std::string inexactness(int64_t batches) const;
  // How the order of the samples or their number differ, as a text; empty: not at all.
  std::string other_order() const;

 private:
  bool is_other_source_count() const { return from_.sources.size() != to_.sources.size(); }

  DataUnit from_;
  DataUnit to_;
};

}  // namespace grapnel
