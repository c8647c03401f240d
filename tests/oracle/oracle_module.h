// The module of a case: its network, losses and optimizers, what it logs, and, when the case wants
// them traced, every hook.
//
// All of it goes through the functions that any user's module has. Which of them this instance has is
// decided by implemented(), from the case: `without`, `traced`, the `log` directives, the data source.
#pragma once

#include <grapnel/nn_module.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "callbacks/make.h"
#include "directives.h"
#include "journal.h"
#include "network.h"

namespace grapnel::oracle {

class OracleModule final : public NNModule {
 public:
  // model: the case's module spec. Keeps the journal, which must outlive it.
  OracleModule(const Json& model, Journal& journal);

  // ---- Steps
  StepOutput training_step(Batch& batch, std::int64_t batch_idx) override;
  StepOutput validation_step(Batch& batch, std::int64_t batch_idx,
                             std::int64_t dataloader_idx) override;
  StepOutput test_step(Batch& batch, std::int64_t batch_idx, std::int64_t dataloader_idx) override;
  TensorTree predict_step(Batch& batch, std::int64_t batch_idx,
                          std::int64_t dataloader_idx) override;
  at::Tensor forward(const at::Tensor& input) override;

  // ---- Configuration
  OptimizerConfig configure_optimizers() override;
  std::vector<CallbackHandle> configure_callbacks() override;
  void configure_model() override;

  // ---- Hooks shared with callbacks (oracle_module_hooks.cpp)
#define ORACLE_HOOK_0(name, EventType)
#define ORACLE_HOOK_1(name, EventType) void name(EventType& event) override;
#define GRAPNEL_HOOK(id, name, EventType, stage, module) ORACLE_HOOK_##module(name, EventType)
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
#undef ORACLE_HOOK_0
#undef ORACLE_HOOK_1

  // ---- Parts of an optimization step (oracle_module_hooks.cpp)
  void backward(const at::Tensor& loss) override;
  void optimizer_step(std::int64_t epoch, std::int64_t batch_idx, Optimizer& optimizer,
                      const Closure& closure) override;
  void optimizer_zero_grad(std::int64_t epoch, std::int64_t batch_idx,
                           Optimizer& optimizer) override;
  void configure_gradient_clipping(Optimizer& optimizer, std::optional<double> clip_val,
                                   std::optional<ClipAlgorithm> algorithm) override;
  void lr_scheduler_step(LRScheduler& scheduler, std::optional<double> metric) override;
  void on_validation_model_zero_grad() override;
  void on_validation_model_eval() override;
  void on_validation_model_train() override;
  void on_test_model_eval() override;
  void on_test_model_train() override;
  void on_predict_model_eval() override;

  // ---- Data, when the case's source is the module (oracle_module_hooks.cpp)
  void prepare_data() override;
  std::shared_ptr<DataLoader> train_dataloader() override;
  DataLoaders val_dataloaders() override;
  DataLoaders test_dataloaders() override;
  DataLoaders predict_dataloaders() override;
  Batch on_before_batch_transfer(Batch batch, std::int64_t dataloader_idx) override;
  Batch transfer_batch_to_device(Batch batch, const at::Device& device,
                                 std::int64_t dataloader_idx) override;
  Batch on_after_batch_transfer(Batch batch, std::int64_t dataloader_idx) override;

  // ---- What the module is made of
  std::string type_name() const override {
    return "OracleModule";
  }
  std::optional<double> flops_per_batch() const override {
    return flops_per_batch_;
  }
  at::Tensor example_input() override;
  std::int64_t* integer_attribute(const std::string& name) override;
  double* number_attribute(const std::string& name) override;
  ModuleMask implemented(const ModuleMask& overridden) const override;

  std::optional<std::int64_t> batch_size() const {
    return batch_size_;
  }
  std::optional<double> learning_rate() const {
    return learning_rate_;
  }

 private:
  OracleModule(const Json& model, Journal& journal, Network network);
  StepOutput evaluation_step(const char* name, Batch& batch, std::int64_t batch_idx,
                             std::int64_t dataloader_idx);
  StepOutput manual_step(const at::Tensor& x, const at::Tensor& y, std::int64_t batch_idx);
  at::Tensor loss_of(const at::Tensor& prediction, const at::Tensor& target, bool training);
  void enter_step(std::string_view name, const std::string& arguments, const at::Tensor& x);
  void enter_if_traced(std::string_view hook, const std::string& arguments = {});
  void check_memory(const at::Tensor& x) const;
  void run_directives(std::string_view hook, std::int64_t batch_idx, const at::Tensor& loss);
  DataLoaders loaders(const char* kind, const char* method);
  std::string optimizer_idx(const Optimizer& optimizer) const;
  Json current_lrs() const;
  bool lacks(std::string_view method) const;

  template <class EventType>
  void traced_hook(std::string_view hook, EventType& event);

  Json spec_;
  Journal& journal_;
  Network network_;
  Directives directives_;
  bool traced_;
  bool returned_ = false;  // the script wants the running step to return nothing
  std::optional<std::int64_t> batch_size_;
  std::optional<double> learning_rate_;
  std::string learning_rate_name_ = "lr";
  std::optional<double> flops_per_batch_;
};

}  // namespace grapnel::oracle
