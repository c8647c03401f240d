// FunctionLoader: batches from the user's own function: generators, streams, files read as they
// come.
#pragma once

#include <cstdint>
#include <functional>
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
  // number of the epoch alone.
  using Open = std::function<Batches(int64_t epoch)>;

  // Throws ConfigError when the function is empty.
  explicit FunctionLoader(Open open, FunctionLoaderOptions options = {});

  std::optional<int64_t> size() const override { return options_.size; }
  void start(int64_t epoch) override;
  std::optional<Batch> next() override;
  std::optional<int64_t> dataset_size() const override { return options_.dataset_size; }
  std::optional<int64_t> batch_size() const override { return options_.batch_size; }

 private:
  Open open_;
  FunctionLoaderOptions options_;
  Batches batches_;
};

}  // namespace grapnel
