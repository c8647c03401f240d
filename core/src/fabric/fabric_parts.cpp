#include "grapnel/fabric_parts.h"

#include "grapnel/base/error.h"
#include "grapnel/fabric.h"

namespace grapnel {

ClosureResult FabricOptimizer::step(const Closure& closure) {
  ClosureResult result = fabric_->update(*optimizer_, index_, closure);
  fabric_->stepped(index_);
  return result;
}

FabricDataLoader::FabricDataLoader(std::shared_ptr<DataLoader> loader, at::Device device)
    : loader_(std::move(loader)), device_(device) {
  if (loader_ == nullptr) throw ConfigError({}, "the data loader to set up is null");
}

FabricDataLoader::Iterator FabricDataLoader::begin() {
  cursor_ = loader_->cursor();
  if (cursor_ == nullptr) cursor_ = loader_;
  cursor_->start(epoch_++);
  Iterator first;
  if (fetch()) first.owner_ = this;
  return first;
}

bool FabricDataLoader::fetch() {
  std::optional<Batch> next = cursor_->next();
  if (!next) return false;
  batch_ = *std::move(next);
  for (size_t i = 0; i < batch_.size(); ++i) {
    if (batch_[i].defined() && batch_[i].device() != device_) {
      batch_.replace(i, batch_[i].to(device_));
    }
  }
  return true;
}

}  // namespace grapnel
