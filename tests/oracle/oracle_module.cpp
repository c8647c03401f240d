#include "oracle_module.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <grapnel/trainer.h>

#include <algorithm>

#include "optimizers.h"
#include "state_json.h"

namespace grapnel::oracle {

OracleModule::OracleModule(const Json& model, Journal& journal)
    : OracleModule(model, journal, make_network(model)) {}

OracleModule::OracleModule(const Json& model, Journal& journal, Network network)
    : NNModule(network.root),
      spec_(model),
      journal_(journal),
      network_(std::move(network)),
      directives_(get(model, "log")),
      traced_(flag_or(model, "traced", false)) {
  automatic_optimization = !flag_or(model, "manual", false);
  hyper_parameters = state_from_json(get(model, "hparams"));
  if (const Json* size = model.find("batch_size")) batch_size_ = size->as_int();
  if (const Json* flops = model.find("flops_per_batch")) flops_per_batch_ = flops->as_double();
  for (const char* name : {"lr", "learning_rate"}) {
    if (const Json* rate = model.find(name)) {
      learning_rate_ = rate->as_double();
      learning_rate_name_ = name;
    }
  }
}

at::Tensor OracleModule::forward(const at::Tensor& input) {
  return network_.forward(input);
}

void OracleModule::enter_step(std::string_view name, const std::string& arguments,
                              const at::Tensor& x) {
  const std::optional<Json> value = journal_.enter("module", name, arguments);
  returned_ = value.has_value();
  journal_.tick(name);
  if (name != "predict_step") {
    journal_.batch_sizes.append(x.size(0));
    check_memory(x);
  }
}

void OracleModule::check_memory(const at::Tensor& x) const {
  const Json& limit = get(spec_, "oom_above");
  if (!limit.is_null() && x.size(0) > limit.as_int()) {
    throw RuntimeError("CUDA out of memory. (simulated)");
  }
}

at::Tensor OracleModule::loss_of(const at::Tensor& prediction, const at::Tensor& target,
                                 bool training) {
  const Json& loss = get(spec_, "loss");
  if (loss.is_object() && training) {
    const Json::Array& table = loss.at("table").as_array();
    const auto last = static_cast<std::int64_t>(table.size()) - 1;
    const std::int64_t i = std::min(journal_.scripted_losses++, last);
    return prediction.sum() * 0 + table[static_cast<std::size_t>(i)].as_double();
  }
  if (loss.is_string() && loss.as_string() == "ce") {
    return at::cross_entropy_loss(prediction, target);
  }
  return at::mse_loss(prediction, target);
}

StepOutput OracleModule::training_step(Batch& batch, std::int64_t batch_idx) {
  const at::Tensor& x = batch[0];
  enter_step("training_step", fmt::format("batch_idx={}", batch_idx), x);
  journal_.lrs.append(current_lrs());
  if (returned_) return std::nullopt;
  if (!automatic_optimization) return manual_step(x, batch[1], batch_idx);

  const at::Tensor loss = loss_of(forward(x), batch[1], /*training=*/true);
  journal_.train_losses.append(number(loss.item<double>()));
  run_directives("training_step", batch_idx, loss);
  return loss;
}

// Two players: the second optimizer trains `disc` alone, then the first `gen` through it.
StepOutput OracleModule::manual_step(const at::Tensor& x, const at::Tensor& y,
                                     std::int64_t batch_idx) {
  const bool toggle = flag_or(spec_, "toggle", false);
  const auto train = [&](std::size_t index, const Network::Forward& network) {
    ManualOptimizer optimizer = optimizers(index);
    if (toggle) toggle_optimizer(optimizer);
    const at::Tensor loss = at::mse_loss(network(x), y);
    optimizer.zero_grad();
    manual_backward(loss);
    optimizer.step();
    if (toggle) untoggle_optimizer(optimizer);
    return loss;
  };
  const at::Tensor loss_d = train(1, network_.disc);
  const at::Tensor loss_g = train(0, network_.forward);
  journal_.train_losses.append(numbers({loss_d.item<double>(), loss_g.item<double>()}));
  run_directives("training_step", batch_idx, loss_g);
  return loss_g;
}

StepOutput OracleModule::evaluation_step(const char* name, Batch& batch, std::int64_t batch_idx,
                                         std::int64_t dataloader_idx) {
  const at::Tensor& x = batch[0];
  enter_step(name, fmt::format("batch_idx={},dataloader_idx={}", batch_idx, dataloader_idx), x);
  if (returned_) return std::nullopt;
  const at::Tensor loss = loss_of(forward(x), batch[1], /*training=*/false);
  if (!trainer().sanity_checking()) journal_.val_losses.append(number(loss.item<double>()));
  run_directives(name, batch_idx, loss);
  return loss;
}

StepOutput OracleModule::validation_step(Batch& batch, std::int64_t batch_idx,
                                         std::int64_t dataloader_idx) {
  return evaluation_step("validation_step", batch, batch_idx, dataloader_idx);
}

StepOutput OracleModule::test_step(Batch& batch, std::int64_t batch_idx,
                                   std::int64_t dataloader_idx) {
  return evaluation_step("test_step", batch, batch_idx, dataloader_idx);
}

TensorTree OracleModule::predict_step(Batch& batch, std::int64_t batch_idx,
                                      std::int64_t dataloader_idx) {
  const at::Tensor& x = batch[0];
  enter_step("predict_step",
             fmt::format("batch_idx={},dataloader_idx={}", batch_idx, dataloader_idx), x);
  if (returned_) return {};
  return forward(x);
}

OptimizerConfig OracleModule::configure_optimizers() {
  journal_.enter("module", "configure_optimizers");
  return make_optimizers(spec_, state_view(), learning_rate_);
}

std::vector<CallbackHandle> OracleModule::configure_callbacks() {
  journal_.enter("module", "configure_callbacks");
  return make_callbacks(get(spec_, "configure_callbacks"), journal_);
}

void OracleModule::configure_model() {
  journal_.enter("module", "configure_model");
}

at::Tensor OracleModule::example_input() {
  const Json& shape = get(spec_, "example_input");
  if (shape.is_null()) return {};
  std::vector<std::int64_t> sizes;
  for (const Json& size : shape.as_array()) sizes.push_back(size.as_int());
  return at::zeros(sizes);
}

std::int64_t* OracleModule::integer_attribute(const std::string& name) {
  return name == "batch_size" && batch_size_ ? &*batch_size_ : nullptr;
}

double* OracleModule::number_attribute(const std::string& name) {
  return name == learning_rate_name_ && learning_rate_ ? &*learning_rate_ : nullptr;
}

void OracleModule::run_directives(std::string_view hook, std::int64_t batch_idx,
                                  const at::Tensor& loss) {
  directives_.run(hook, {trainer(), batch_idx, loss},
                  [this](const std::string& name, const LogValue& value,
                         const LogOptions& options) { log(name, value, options); });
}

Json OracleModule::current_lrs() const {
  Json all = Json::array();
  for (const auto& optimizer : trainer().optimizers()) {
    Json& groups = all.append(Json::array());
    for (const ParamGroup& group : optimizer->groups()) {
      groups.append(number(group.options.find("lr")->second));
    }
  }
  return all;
}

bool OracleModule::lacks(std::string_view method) const {
  const Json::Array& without = items(get(spec_, "without"));
  return std::any_of(without.begin(), without.end(),
                     [&](const Json& name) { return name.as_string() == method; });
}

ModuleMask OracleModule::implemented(const ModuleMask& overridden) const {
  ModuleMask mask = overridden;
  const Json& test = journal_.test().document;
  const auto snapshots = [&](std::string_view hook) {
    if (get(test, "snapshot").is_null()) return false;
    if (hook == "on_train_epoch_start") return true;
    return hook == "on_train_batch_start" && flag_or(test, "snapshot_batches", false);
  };
  // Hooks that Lightning lacks stand in no recording.
  const auto recorded = [](std::string_view hook) {
    return hook != "on_after_optimizer_step" && hook != "on_run_end";
  };
  for (std::size_t i = 0; i < kHookCount; ++i) {
    const std::string_view hook = kHookNames[i];
    const bool wanted = (traced_ && recorded(hook)) || directives_.has(hook) || snapshots(hook);
    if (!wanted || lacks(hook)) mask.hooks.set(i, false);
  }

  const auto keep = [&](auto& bits, auto method, std::string_view name, bool wanted) {
    if (!wanted || lacks(name)) bits.set(static_cast<std::size_t>(method), false);
  };
  using M = ModuleMethod;
  for (const auto& [method, name] : {std::pair{M::training_step, "training_step"},
                                     {M::validation_step, "validation_step"},
                                     {M::test_step, "test_step"},
                                     {M::predict_step, "predict_step"},
                                     {M::configure_optimizers, "configure_optimizers"}}) {
    keep(mask.methods, method, name, true);
  }
  keep(mask.methods, M::configure_callbacks, "configure_callbacks",
       spec_.contains("configure_callbacks"));
  for (const auto& [method, name] :
       {std::pair{M::configure_model, "configure_model"},
        {M::backward, "backward"},
        {M::optimizer_step, "optimizer_step"},
        {M::optimizer_zero_grad, "optimizer_zero_grad"},
        {M::configure_gradient_clipping, "configure_gradient_clipping"},
        {M::lr_scheduler_step, "lr_scheduler_step"},
        {M::on_validation_model_zero_grad, "on_validation_model_zero_grad"},
        {M::on_validation_model_eval, "on_validation_model_eval"},
        {M::on_test_model_eval, "on_test_model_eval"},
        {M::on_predict_model_eval, "on_predict_model_eval"}}) {
    keep(mask.methods, method, name, traced_);
  }
  const bool modes = traced_ && flag_or(spec_, "trace_model_train", true);
  keep(mask.methods, M::on_validation_model_train, "on_validation_model_train", modes);
  keep(mask.methods, M::on_test_model_train, "on_test_model_train", modes);

  using D = DataMethod;
  const Json& data = journal_.test().data();
  const bool source = text_or(data, "source", "datamodule") == "module";
  keep(mask.data, D::prepare_data, "prepare_data", traced_);
  for (const auto& [method, key, name] :
       {std::tuple{D::train_dataloader, "train", "train_dataloader"},
        {D::val_dataloaders, "val", "val_dataloader"},
        {D::test_dataloaders, "test", "test_dataloader"},
        {D::predict_dataloaders, "predict", "predict_dataloader"}}) {
    keep(mask.data, method, name, source && data.contains(key));
  }
  const bool transfer = flag_or(spec_, "trace_transfer", false);
  keep(mask.data, D::on_before_batch_transfer, "on_before_batch_transfer", transfer);
  keep(mask.data, D::transfer_batch_to_device, "transfer_batch_to_device", transfer);
  keep(mask.data, D::on_after_batch_transfer, "on_after_batch_transfer", transfer);
  return mask;
}

}  // namespace grapnel::oracle
