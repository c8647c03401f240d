// The hooks, loop functions and data functions of OracleModule: each reports its entry and then does
// what the library's own does.
#include <fmt/format.h>
#include <grapnel/trainer.h>

#include "hook_arguments.h"
#include "oracle_module.h"
#include "samples.h"
#include "snapshot.h"

namespace grapnel::oracle {

template <class EventType>
void OracleModule::traced_hook(std::string_view hook, EventType& event) {
  std::optional<Json> returned;
  if (traced_) returned = journal_.enter("module", hook, hook_arguments(event));
  std::int64_t batch_idx = 0;
  if constexpr (requires { event.batch_idx; }) batch_idx = event.batch_idx;
  run_directives(hook, batch_idx, {});
  if (hook == "on_train_epoch_start") take_snapshot("epoch_start", {}, journal_, *this);
  if (hook == "on_train_batch_start") take_snapshot("batch_start", batch_idx, journal_, *this);
  // Lightning's "return -1": the rest of the epoch is skipped.
  if (returned && returned->is_integer() && returned->as_int() == -1) {
    trainer().request(RequestKind::end_epoch, "scripted");
  }
}

#define ORACLE_HOOK_0(name, EventType)
#define ORACLE_HOOK_1(name, EventType)        \
  void OracleModule::name(EventType& event) { \
    traced_hook(#name, event);                \
  }
#define GRAPNEL_HOOK(id, name, EventType, stage, module) ORACLE_HOOK_##module(name, EventType)
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
#undef ORACLE_HOOK_0
#undef ORACLE_HOOK_1

void OracleModule::enter_if_traced(std::string_view hook, const std::string& arguments) {
  if (traced_) journal_.enter("module", hook, arguments);
}

std::string OracleModule::optimizer_idx(const Optimizer& optimizer) const {
  const auto& all = trainer().optimizers();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].get() == &optimizer) return fmt::format("optimizer_idx={}", i);
  }
  return "optimizer_idx=unknown";
}

void OracleModule::backward(const at::Tensor& loss) {
  enter_if_traced("backward");
  NNModule::backward(loss);
}

void OracleModule::optimizer_step(std::int64_t epoch, std::int64_t batch_idx, Optimizer& optimizer,
                                  const Closure& closure) {
  enter_if_traced("optimizer_step", fmt::format("epoch={},batch_idx={},{}", epoch, batch_idx,
                                                optimizer_idx(optimizer)));
  NNModule::optimizer_step(epoch, batch_idx, optimizer, closure);
}

void OracleModule::optimizer_zero_grad(std::int64_t epoch, std::int64_t batch_idx,
                                       Optimizer& optimizer) {
  enter_if_traced("optimizer_zero_grad", fmt::format("epoch={},batch_idx={},{}", epoch, batch_idx,
                                                     optimizer_idx(optimizer)));
  NNModule::optimizer_zero_grad(epoch, batch_idx, optimizer);
}

void OracleModule::configure_gradient_clipping(Optimizer& optimizer, std::optional<double> clip_val,
                                               std::optional<ClipAlgorithm> algorithm) {
  std::string value = "None";
  if (clip_val) {
    // Python prints what it was given: 1 as "1", 1.0 as "1.0".
    value = fmt::format("{}", *clip_val);
    const bool integer = get(journal_.test().trainer(), "gradient_clip_val").is_integer();
    if (!integer && value.find_first_of(".en") == std::string::npos) value += ".0";
  }
  std::string name = "None";
  if (algorithm) name = *algorithm == ClipAlgorithm::norm ? "norm" : "value";
  enter_if_traced("configure_gradient_clipping",
                  fmt::format("{},val={},algorithm={}", optimizer_idx(optimizer), value, name));
  NNModule::configure_gradient_clipping(optimizer, clip_val, algorithm);
}

void OracleModule::lr_scheduler_step(LRScheduler& scheduler, std::optional<double> metric) {
  const auto& all = trainer().schedulers();
  std::size_t index = 0;
  while (index < all.size() && all[index].scheduler.get() != &scheduler) ++index;
  enter_if_traced("lr_scheduler_step",
                  fmt::format("scheduler_idx={},metric={}", index,
                              metric ? fmt::format("{:.6g}", *metric) : "None"));
  NNModule::lr_scheduler_step(scheduler, metric);
}

#define ORACLE_MODE(name)     \
  void OracleModule::name() { \
    enter_if_traced(#name);   \
    NNModule::name();         \
  }
ORACLE_MODE(on_validation_model_zero_grad)
ORACLE_MODE(on_validation_model_eval)
ORACLE_MODE(on_validation_model_train)
ORACLE_MODE(on_test_model_eval)
ORACLE_MODE(on_test_model_train)
ORACLE_MODE(on_predict_model_eval)
#undef ORACLE_MODE

void OracleModule::prepare_data() {
  journal_.enter("module", "prepare_data");
}

DataLoaders OracleModule::loaders(const char* kind, const char* method) {
  journal_.enter("module", method);
  return make_loaders(get(journal_.test().data(), kind), batch_size_);
}

std::shared_ptr<DataLoader> OracleModule::train_dataloader() {
  journal_.enter("module", "train_dataloader");
  return make_loader(journal_.test().data().at("train"), batch_size_);
}

DataLoaders OracleModule::val_dataloaders() {
  return loaders("val", "val_dataloader");
}

DataLoaders OracleModule::test_dataloaders() {
  return loaders("test", "test_dataloader");
}

DataLoaders OracleModule::predict_dataloaders() {
  return loaders("predict", "predict_dataloader");
}

Batch OracleModule::on_before_batch_transfer(Batch batch, std::int64_t dataloader_idx) {
  journal_.enter("module", "on_before_batch_transfer",
                 fmt::format("dataloader_idx={}", dataloader_idx));
  return NNModule::on_before_batch_transfer(std::move(batch), dataloader_idx);
}

Batch OracleModule::transfer_batch_to_device(Batch batch, const at::Device& device,
                                             std::int64_t dataloader_idx) {
  journal_.enter("module", "transfer_batch_to_device",
                 fmt::format("device={},dataloader_idx={}", device.str(), dataloader_idx));
  return NNModule::transfer_batch_to_device(std::move(batch), device, dataloader_idx);
}

Batch OracleModule::on_after_batch_transfer(Batch batch, std::int64_t dataloader_idx) {
  journal_.enter("module", "on_after_batch_transfer",
                 fmt::format("dataloader_idx={}", dataloader_idx));
  return NNModule::on_after_batch_transfer(std::move(batch), dataloader_idx);
}

}  // namespace grapnel::oracle
