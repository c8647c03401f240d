#include "grapnel/data/function_loader.h"

#include "grapnel/base/error.h"

namespace grapnel {

FunctionLoader::FunctionLoader(Open open, FunctionLoaderOptions options)
    : open_(std::move(open)), options_(options) {
  if (!open_) throw ConfigError({}, "a FunctionLoader was given an empty function");
}

void FunctionLoader::start(int64_t epoch) {
  batches_ = open_(epoch);
  if (!batches_) throw DataError("the function of a FunctionLoader returned no source of batches");
}

std::optional<Batch> FunctionLoader::next() {
  if (!batches_) start(0);
  return batches_();
}

}  // namespace grapnel
