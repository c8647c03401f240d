// The data module of a case, and the ways in which data reach a run.
#pragma once

#include <grapnel/data.h>

#include <cstdint>
#include <optional>

#include "journal.h"

namespace grapnel::oracle {

class OracleDataModule final : public DataModule {
 public:
  // spec: the case's "data". Keeps the journal, which must outlive it.
  OracleDataModule(const Json& spec, Journal& journal);

  void prepare_data() override;
  void setup(RunKind run) override;
  void teardown(RunKind run) override;
  void on_exception(const std::exception_ptr& exception) override;

  std::shared_ptr<DataLoader> train_dataloader() override;
  DataLoaders val_dataloaders() override;
  DataLoaders test_dataloaders() override;
  DataLoaders predict_dataloaders() override;

  Batch on_before_batch_transfer(Batch batch, std::int64_t dataloader_idx) override;
  Batch transfer_batch_to_device(Batch batch, const at::Device& device,
                                 std::int64_t dataloader_idx) override;
  Batch on_after_batch_transfer(Batch batch, std::int64_t dataloader_idx) override;

  std::string type_name() const override { return "OracleDataModule"; }
  // {"dm": 1} when it is traced, else none.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;
  DataMask implemented(const DataMask& overridden) const override;
  std::int64_t* batch_size_attribute() override;

  std::optional<std::int64_t> batch_size() const { return batch_size_; }

 private:
  void enter_if_traced(std::string_view hook, std::string_view arguments = {}) const;
  DataLoaders loaders(const char* kind, const char* method);

  Json spec_;
  Journal& journal_;
  bool traced_;
  std::optional<std::int64_t> batch_size_;
};

}  // namespace grapnel::oracle
