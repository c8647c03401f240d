#include "grapnel/callbacks/weight_averaging.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "callbacks/averaged_weights.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/trainer.h"
#include "model/pruned_weights.h"
#include "run/loops.h"
#include "run/run.h"

namespace grapnel {

namespace {

const StateValue* find_state(const StateDict& state, std::initializer_list<std::string_view> path) {
  const StateDict* level = &state;
  const StateValue* found = nullptr;
  for (const std::string_view key : path) {
    found = level == nullptr ? nullptr : level->find(key);
    if (found == nullptr) return nullptr;
    level = found->is_dict() ? &found->to_dict() : nullptr;
  }
  return found;
}

// The trained weights of a checkpoint back into the model; all are checked before the first.
void load_current_model(Module& module, const StateDict& state) {
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const StateEntry& entry : module.state_view().entries()) {
    const auto saved = find_weight(state, entry.name);
    if (!saved) continue;
    if (saved->tensor.sizes() != entry.tensor.sizes()) {
      throw CheckpointError({}, fmt::format("current_model_state: '{}' is {}, the model's is {}",
                                            entry.name, StateValue(saved->tensor).describe(),
                                            StateValue(entry.tensor).describe()));
    }
    copies.emplace_back(entry.tensor.detach(), saved->tensor);
  }
  const at::NoGradGuard no_grad;
  for (auto& [live, saved] : copies) live.copy_(saved);
}

// The mask of a parameter, also of a run that has failed: it has taken the masks from the model, and a
// ModelPruning before this callback has put them into the checkpoint.
at::Tensor mask_of(SaveCheckpoint& event, const std::string& name) {
  const StateEntry* entry = event.module.state_view().find(name);
  if (entry != nullptr && entry->mask.defined()) return entry->mask;
  const StateValue* saved = find_state(event.checkpoint, {"exact_resume", "pruning", name, "mask"});
  return saved == nullptr ? at::Tensor() : saved->to_tensor();
}

// Also where its mask is not known yet, since the ModelPruning comes after this callback.
bool may_be_pruned(const Trainer& trainer, const std::string& name) {
  return std::any_of(trainer.callbacks().begin(), trainer.callbacks().end(), [&](const auto& each) {
    const auto* pruning = dynamic_cast<const ModelPruning*>(each.callback.get());
    if (pruning == nullptr) return false;
    const std::vector<std::string>& names = pruning->parameters_to_prune();
    return std::find(names.begin(), names.end(), name) != names.end();
  });
}

}  // namespace

WeightAveraging::WeightAveraging(WeightAveragingOptions options)
    : options_(std::move(options)),
      device_(averaging_device(options_.device, "WeightAveraging")),
      average_(std::make_unique<AveragedWeights>()) {}

WeightAveraging::~WeightAveraging() = default;

const OptionsTable<WeightAveragingOptions>& WeightAveraging::options_table() {
  using O = WeightAveragingOptions;
  static const OptionsTable<O> table(
      "weight_averaging", "Averages the weights, validates with the average and ends with it.",
      {option("device", &O::device)
           .null_when_empty()
           .doc("Where to keep the average; null: with the model."),
       option("use_buffers", &O::use_buffers).doc("Average buffers (running statistics) too.")});
  return table;
}

bool WeightAveraging::should_update(std::optional<int64_t> step_idx, std::optional<int64_t>) {
  return step_idx.has_value();
}

int64_t WeightAveraging::n_averaged() const {
  return average_->n_averaged();
}

StateDict WeightAveraging::average_weights() const {
  StateDict weights;
  for (const AveragedWeights::Entry& entry : average_->entries()) {
    weights[entry.name] = entry.average;
  }
  return weights;
}

StateDict WeightAveraging::state_dict() const {
  StateDict state{{"latest_update_step", latest_update_step_},
                  {"latest_update_epoch", latest_update_epoch_},
                  {"asked_steps", asked_steps_}};
  if (!before_epoch_end_.empty()) state["before_epoch_end"] = before_epoch_end_;
  return state;
}

void WeightAveraging::load_state_dict(const StateDict& state) {
  const int64_t step = state.at("latest_update_step").to_int();
  const StateValue* epoch = state.find("latest_update_epoch");
  const StateValue* asked = state.find("asked_steps");
  if (asked != nullptr) loaded_steps_ = asked->to_int();
  const StateValue* before = state.find("before_epoch_end");
  before_epoch_end_ = before == nullptr ? StateDict() : snapshot(before->to_dict());
  latest_update_epoch_ = epoch == nullptr ? -1 : epoch->to_int();
  latest_update_step_ = step;
}

void WeightAveraging::setup(StageEvent& event) {
  if (event.run != RunKind::fit) return;
  loaded_steps_.reset();
  before_epoch_end_.clear();
  average_->clear();
  // As in Lightning, whose average is a copy of the model that is made here.
  if (event.trainer.module_mask().has(ModuleMethod::configure_model)) {
    log_warning(
        "{} calls {}'s configure_model in setup, so that the average has the layers that it makes; "
        "it is called again afterwards and must keep the layers that are there. All of the model's "
        "layers are made here at once",
        type_name(), event.module.type_name());
    event.module.configure_model();
  }
  if (event.trainer.global_step() > 0) return;
  latest_update_step_ = 0;
  latest_update_epoch_ = -1;
}

// The model has its layers by now, also where configure_model made them.
void WeightAveraging::on_fit_start(Event& event) {
  is_in_model_ = false;
  asked_steps_ = loaded_steps_.value_or(0);
  if (average_->empty()) return average_->start(event.module, device_);
  // From a checkpoint, which is loaded before the model moves to its device.
  if (!device_) average_->follow_devices(event.module);
}

void WeightAveraging::update(Module& module) {
  average_->update(module, {.function = options_.avg_fn, .share = model_share()},
                   options_.use_buffers);
  if (!options_.use_buffers) average_->follow_buffers(module);
}

void WeightAveraging::on_train_start(Event& event) {
  // A checkpoint may be written between the optimizer's step and the end of its batch.
  asked_steps_ = loaded_steps_.value_or(event.trainer.global_step());
  loaded_steps_.reset();
  if (Run::of(event.trainer).loops->fit.continues_cut_epoch()) restore_cut_epoch();
}

// As it was before its update at the end of the epoch, the rest of which is trained now.
void WeightAveraging::restore_cut_epoch() {
  if (before_epoch_end_.empty()) return;
  const StateDict before = std::exchange(before_epoch_end_, {});
  average_->load(before.at("average").to_dict());
  average_->set_n_averaged(before.at("n_averaged").to_int());
  latest_update_epoch_ = before.at("latest_update_epoch").to_int();
}

void WeightAveraging::on_train_batch_end(TrainBatchEnd& event) {
  const int64_t steps = event.trainer.global_step();
  bool is_due = false;
  while (asked_steps_ < steps) is_due = should_update(asked_steps_++, std::nullopt) || is_due;
  if (!is_due || steps <= latest_update_step_) return;
  update(event.module);
  latest_update_step_ = steps;
}

void WeightAveraging::on_train_epoch_end(Event& event) {
  const int64_t epoch = event.trainer.current_epoch();
  if (epoch <= latest_update_epoch_ || !should_update(std::nullopt, epoch)) return;
  if (Run::of(event.trainer).loops->fit.ends_within_epoch()) {
    before_epoch_end_ = snapshot({{"average", average_->state()},
                                  {"n_averaged", average_->n_averaged()},
                                  {"latest_update_epoch", latest_update_epoch_}});
  }
  update(event.module);
  latest_update_epoch_ = epoch;
}

void WeightAveraging::on_fit_end(Event& event) {
  if (average_->n_averaged() == 0) {
    if (asked_steps_ == 0) return;  // nothing was trained
    log_warning(
        "{} has averaged nothing in this training, so the model keeps the trained weights; let it "
        "start earlier",
        type_name());
    return;
  }
  average_->copy_to(event.module, /*buffers=*/true);
  is_in_model_ = true;
}

void WeightAveraging::on_validation_epoch_start(Event& event) {
  if (average_->empty() || event.trainer.state().kind != RunKind::fit) return;
  swapped_ = event.trainer.lease_weights(average_->in_model(event.module),
                                         "averaged weights for the validation");
}

void WeightAveraging::on_validation_epoch_end(Event&) {
  swapped_.end();
}

void WeightAveraging::on_save_checkpoint(SaveCheckpoint& event) {
  if (event.trainer.state().kind != RunKind::fit) {
    if (event.weights_only) return;
    log_info(
        "{} saves a checkpoint outside of fit: it has the model's weights as they are, which after "
        "a training are the averaged ones, and not the state of the averaging",
        type_name());
    return;
  }
  if (average_->empty()) return;
  StateDict& checkpoint = event.checkpoint;
  StateDict current = checkpoint.at("state_dict").to_dict();
  StateDict averaged = current;
  StateDict unmasked;
  const bool has_failed = event.trainer.state().status == Status::interrupted;
  for (const auto& [name, value] : average_->state()) {
    const at::Tensor& average = value.to_tensor();
    const at::Tensor mask = mask_of(event, name);
    // A ModelPruning before this callback may have applied its masks to the saved weights.
    const auto saved = find_weight(averaged, name);
    const bool masked = mask.defined() && saved && !saved->mask.defined();
    // Once the average is in the model, others may have changed it there.
    if (saved && !is_in_model_) {
      put_weight(averaged, name, {masked ? average * mask : average, saved->mask});
    }
    if (!mask.defined() && !(has_failed && may_be_pruned(event.trainer, name))) continue;
    unmasked[name] = average;
    if (saved) put_weight(current, name, {event.trainer.training_tensor(name), saved->mask});
  }
  checkpoint["state_dict"] = std::move(averaged);
  checkpoint.erase("leased_state_dict");  // during validation: the average, which is there already
  if (event.weights_only) return;
  checkpoint["current_model_state"] = std::move(current);
  checkpoint["averaging_state"] =
      StateDict{{"n_averaged", at::scalar_tensor(average_->n_averaged(), at::kLong)}};
  if (!unmasked.empty()) {
    checkpoint["averaging_state"].to_dict()["unmasked"] = std::move(unmasked);
  }
}

void WeightAveraging::on_load_checkpoint(LoadCheckpoint& event) {
  // validate, test and predict need nothing: the average is the model's weights.
  if (event.trainer.state().kind != RunKind::fit) return;
  average_->start(event.module, device_);
  const StateValue* current = event.checkpoint.find("current_model_state");
  const StateValue* averaging = event.checkpoint.find("averaging_state");
  if (current == nullptr || averaging == nullptr) {
    log_warning(
        "{}: the checkpoint was written without an average of the weights; the average starts "
        "with the weights that it has",
        type_name());
    return;
  }
  const int64_t n_averaged = averaging->to_dict().at("n_averaged").to_tensor().item<int64_t>();
  average_->load(event.checkpoint.at("state_dict").to_dict());
  if (const StateValue* unmasked = averaging->to_dict().find("unmasked")) {
    average_->load(unmasked->to_dict());
  }
  load_current_model(event.module, current->to_dict());
  average_->set_n_averaged(n_averaged);
  log_info("{}: the average of {} updates and the training's weights are those of the checkpoint",
           type_name(), n_averaged);
}

}  // namespace grapnel
