#include "grapnel/data.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "values/type_name.h"

namespace grapnel {

namespace {

void refuse_null(bool is_null, const char* what) {
  if (is_null) throw ConfigError::of("", "the {} is null; give a loader", what);
}

}  // namespace

DataLoader::~DataLoader() = default;

void DataLoader::skip(int64_t batches) {
  for (int64_t i = 0; i < batches && next(); ++i) {
  }
}

Batch DataModule::transfer_batch_to_device(Batch batch, const at::Device& device,
                                           int64_t /*dataloader_idx*/) {
  for (size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].defined() && batch[i].device() != device) batch.replace(i, batch[i].to(device));
  }
  return batch;
}

std::string DataModule::type_name() const {
  return unqualified_name(typeid(*this));
}

Data::Data(std::shared_ptr<DataLoader> loader_of_the_stage)
    : train(std::move(loader_of_the_stage)), loaders(true) {
  refuse_null(train == nullptr, "data loader");
}

Data::Data(DataLoaders loaders_of_the_stage)
    : eval(std::move(loaders_of_the_stage)), loaders(true) {
  for (const auto& loader : eval) refuse_null(loader == nullptr, "data loader in the list");
}

Data::Data(std::shared_ptr<DataLoader> train_loader, DataLoaders val)
    : train(std::move(train_loader)), eval(std::move(val)), loaders(true) {
  refuse_null(train == nullptr, "training data loader");
  for (const auto& loader : eval) refuse_null(loader == nullptr, "validation data loader");
}

void Data::check_type(const std::type_info& dynamic, const std::type_info& given) {
  if (dynamic == given) return;
  throw ConfigError::of("",
                        "the data module is a {0} but was passed as a {1}, so the functions that "
                        "{0} overrides can't be seen; pass it by its own type",
                        unqualified_name(dynamic), unqualified_name(given));
}

}  // namespace grapnel
