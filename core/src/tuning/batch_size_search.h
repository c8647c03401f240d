// The two ways in which BatchSizeFinder looks for a batch size, over a trial.
#pragma once

#include <cstdint>
#include <exception>

#include "grapnel/callbacks/batch_size_finder.h"
#include "tuning/trial.h"
#include "tuning/tuned_attribute.h"

namespace grapnel {

// True for LibTorch's own out-of-memory errors, std::bad_alloc, and errors whose text is one of
// those that CUDA, cuDNN and the CPU's allocator report it with.
bool is_out_of_memory(const std::exception& error);

class BatchSizeTrials {
 public:
  BatchSizeTrials(Trial& trial, const BatchSizeFinderOptions& options,
                  const TunedAttribute<int64_t>& attribute)
      : trial_(trial), options_(options), attribute_(attribute) {}

  // The size that was found; the attribute is set to it.
  int64_t run();

 private:
  struct Change {
    int64_t size;
    bool changed;
  };
  enum class Why { start, succeeded, failed };

  int64_t run_power(int64_t size);
  int64_t run_binsearch(int64_t size);
  void begin_trial();
  // False: not enough memory.
  bool fits();
  bool limit_reached(int64_t size) const;
  // Sets another size, unless one batch already holds all of the data.
  Change change_to(int64_t size, Why why, int64_t limit);

  Trial& trial_;
  const BatchSizeFinderOptions& options_;
  const TunedAttribute<int64_t>& attribute_;
};

}  // namespace grapnel
