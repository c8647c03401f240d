#include "grapnel/data/function_loader.h"

#include <typeinfo>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"

namespace grapnel {

FunctionLoader::FunctionLoader(Open open, FunctionLoaderOptions options)
    : source_(std::make_shared<Source>(Source{std::move(open)})), options_(options) {
  if (!source_->open) throw ConfigError({}, "a FunctionLoader was given an empty function");
  const auto check = [](const char* key, const std::optional<int64_t>& value, int64_t least) {
    if (!value.has_value() || *value >= least) return;
    throw ConfigError::of(key, "a FunctionLoader's {} must be at least {}, found {}", key, least,
                          *value);
  };
  check("size", options_.size, 0);
  check("dataset_size", options_.dataset_size, 0);
  check("batch_size", options_.batch_size, 1);
}

void FunctionLoader::start(int64_t epoch) {
  batches_ = source_->open(epoch);
  if (!batches_) throw DataError("the function of a FunctionLoader returned no source of batches");
  epoch_ = epoch;
  at_start_ = true;
}

std::optional<Batch> FunctionLoader::next() {
  if (!batches_) start(0);
  std::optional<Batch> batch = batches_();
  if (batch.has_value()) {
    source_->gave_batches = true;
  } else if (at_start_) {
    warn_if_exhausted();
  }
  at_start_ = false;
  return batch;
}

// A generator that is made once and used for every epoch is the usual cause.
void FunctionLoader::warn_if_exhausted() {
  if (!source_->gave_batches || std::exchange(source_->warned, true)) return;
  log_warning(
      "the function of a FunctionLoader gave no batch in epoch {}, although it gave some before: a "
      "stream that has been read to its end can't be read again; make a new one in each call of "
      "the function",
      epoch_);
}

std::shared_ptr<DataLoader> FunctionLoader::cursor() const {
  if (typeid(*this) != typeid(FunctionLoader)) return nullptr;
  auto own = std::make_shared<FunctionLoader>(*this);
  own->batches_ = nullptr;
  return own;
}

}  // namespace grapnel
