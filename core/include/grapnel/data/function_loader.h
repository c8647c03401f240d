// FunctionLoader: batches from the user's own function: generators, streams, files read as they
// come.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "grapnel/data.h"
#include "grapnel/export.h"

namespace grapnel {

struct FunctionLoaderOptions {
  std::optional<int64_t> size = {};  // batches per epoch; unset: unknown before the end
  std::optional<int64_t> dataset_size = {};
  std::optional<int64_t> batch_size = {};
};

class GRAPNEL_CORE_API FunctionLoader : public DataLoader {
 public:
  // The batches of an epoch one after the other, nothing after the last.
  using Batches = std::function<std::optional<Batch>()>;
  // Begins an epoch. For a run that can be resumed exactly, what it returns must depend on the
  // number of the epoch alone. What it returns must be a new source each time: several may be read
  // by turns, and one that an earlier epoch has exhausted gives nothing (which is warned of).
  using Open = std::function<Batches(int64_t epoch)>;

  // Throws ConfigError when the function is empty, a size is negative or the batch size below 1.
  explicit FunctionLoader(Open open, FunctionLoaderOptions options = {});

  std::optional<int64_t> size() const override { return options_.size; }
  void start(int64_t epoch) override;
  std::optional<Batch> next() override;
  std::optional<int64_t> dataset_size() const override { return options_.dataset_size; }
  std::optional<int64_t> batch_size() const override { return options_.batch_size; }
  // Shares the function. nullptr for a derived class, which overrides it to have one.
  std::shared_ptr<DataLoader> cursor() const override;

 private:
  // What all cursors of one loader share.
  struct Source {
    Open open;
    bool gave_batches = false;  // in any epoch
    bool warned = false;
  };
  void warn_if_exhausted();

  std::shared_ptr<Source> source_;
  FunctionLoaderOptions options_;
  Batches batches_;
  int64_t epoch_ = 0;
  bool at_start_ = false;  // of the epoch: no batch was asked for yet
};

}  // namespace grapnel
