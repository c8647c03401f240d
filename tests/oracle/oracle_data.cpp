#include "oracle_data.h"

#include <fmt/format.h>

#include <tuple>

#include "exceptions.h"
#include "samples.h"

namespace grapnel::oracle {

OracleDataModule::OracleDataModule(const Json& spec, Journal& journal)
    : spec_(spec), journal_(journal), traced_(flag_or(spec, "traced", false)) {
  if (const Json* size = spec.find("batch_size")) batch_size_ = size->as_int();
}

void OracleDataModule::enter_if_traced(std::string_view hook, std::string_view arguments) const {
  if (traced_) journal_.enter("dm", hook, arguments);
}

void OracleDataModule::prepare_data() {
  journal_.enter("dm", "prepare_data");
}

void OracleDataModule::setup(RunKind run) {
  enter_if_traced("setup", fmt::format("stage={}", to_string(run)));
}

void OracleDataModule::teardown(RunKind run) {
  enter_if_traced("teardown", fmt::format("stage={}", to_string(run)));
}

void OracleDataModule::on_exception(const std::exception_ptr& exception) {
  enter_if_traced("on_exception", fmt::format("exception={}", describe(exception).type));
}

DataLoaders OracleDataModule::loaders(const char* kind, const char* method) {
  journal_.enter("dm", method);
  return make_loaders(get(spec_, kind), batch_size_);
}

std::shared_ptr<DataLoader> OracleDataModule::train_dataloader() {
  journal_.enter("dm", "train_dataloader");
  return make_loader(spec_.at("train"), batch_size_);
}

DataLoaders OracleDataModule::val_dataloaders() {
  return loaders("val", "val_dataloader");
}

DataLoaders OracleDataModule::test_dataloaders() {
  return loaders("test", "test_dataloader");
}

DataLoaders OracleDataModule::predict_dataloaders() {
  return loaders("predict", "predict_dataloader");
}

Batch OracleDataModule::on_before_batch_transfer(Batch batch, std::int64_t dataloader_idx) {
  journal_.enter("dm", "on_before_batch_transfer",
                 fmt::format("dataloader_idx={}", dataloader_idx));
  return DataModule::on_before_batch_transfer(std::move(batch), dataloader_idx);
}

Batch OracleDataModule::transfer_batch_to_device(Batch batch, const at::Device& device,
                                                 std::int64_t dataloader_idx) {
  journal_.enter("dm", "transfer_batch_to_device",
                 fmt::format("device={},dataloader_idx={}", device.str(), dataloader_idx));
  return DataModule::transfer_batch_to_device(std::move(batch), device, dataloader_idx);
}

Batch OracleDataModule::on_after_batch_transfer(Batch batch, std::int64_t dataloader_idx) {
  journal_.enter("dm", "on_after_batch_transfer", fmt::format("dataloader_idx={}", dataloader_idx));
  return DataModule::on_after_batch_transfer(std::move(batch), dataloader_idx);
}

StateDict OracleDataModule::state_dict() const {
  if (!traced_) return {};
  journal_.enter("dm", "state_dict");
  return {{"dm", 1}};
}

void OracleDataModule::load_state_dict(const StateDict& state) {
  enter_if_traced("load_state_dict", fmt::format("dm={}", state.at("dm").to_int()));
}

DataMask OracleDataModule::implemented(const DataMask& overridden) const {
  DataMask mask = overridden;
  const auto keep = [&](DataMethod method, bool wanted) {
    if (!wanted) mask.set(static_cast<std::size_t>(method), false);
  };
  keep(DataMethod::prepare_data, traced_);
  keep(DataMethod::train_dataloader, spec_.contains("train"));
  keep(DataMethod::val_dataloaders, spec_.contains("val"));
  keep(DataMethod::test_dataloaders, spec_.contains("test"));
  keep(DataMethod::predict_dataloaders, spec_.contains("predict"));
  const bool transfer = flag_or(spec_, "trace_transfer", false);
  keep(DataMethod::on_before_batch_transfer, transfer);
  keep(DataMethod::transfer_batch_to_device, transfer);
  keep(DataMethod::on_after_batch_transfer, transfer);
  return mask;
}

std::int64_t* OracleDataModule::batch_size_attribute() {
  return batch_size_ ? &*batch_size_ : nullptr;
}

}  // namespace grapnel::oracle
