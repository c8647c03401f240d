// Whatever fails in a hook, of a ready callback or of another one while it holds a lease, the model
// keeps its trained weights, and its parameters are as trainable, its modes, its names and the
// optimizer's groups as they were outside of the lease.
//
// One test for all callbacks in the registry: a new one is covered as soon as it is registered.
#include <set>
#include <stdexcept>

#include "../support/backbone.h"
#include "catch.h"
#include "configuration.h"
#include "temp_dir.h"

namespace fault_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Where a callback's fault comes: before or after it did its work in the hook, or in another
// callback's hook of that name, after it.
enum class Fault { before, after, elsewhere };

struct Plan {
  Hook hook;
  Fault fault;
  int call;  // which call of the hook, from 1
};

// What must not be changed by a fault, as it stands between leases.
struct Standing {
  std::map<std::string, at::Tensor> parameters;
  std::map<std::string, at::Tensor> buffers;
  std::vector<ParamGroup> groups;
  // Of the time before the run, or of its good end.
  std::vector<bool> trainable;
  std::vector<std::string> names;

  void note_outside_of_run(BackboneModule& module) {
    trainable.clear();
    names.clear();
    for (const StateEntry& entry : module.state_view().entries()) {
      names.push_back(entry.name + (entry.mask.defined() ? ", pruned" : ""));
      if (entry.is_parameter) trainable.push_back(entry.tensor.requires_grad());
    }
  }

  void note(BackboneModule& module, const Trainer* trainer) {
    parameters.clear();
    buffers.clear();
    for (const StateEntry& entry : module.state_view().entries()) {
      (entry.is_parameter ? parameters : buffers)[entry.name] = entry.tensor.detach().clone();
    }
    groups.clear();
    if (trainer != nullptr && !trainer->optimizers().empty()) {
      groups = trainer->optimizers()[0]->groups();
    }
  }
};

BackboneModule& module_of(Event& event) {
  return dynamic_cast<BackboneModule&>(event.module);
}

// The callback under test: does what it does and fails where the plan says. What it changed for good
// in a hook between two steps counts as standing.
class Faulty final : public Callback {
 public:
  Faulty(CallbackHandle inner, Standing& standing)
      : inner_(std::move(inner)), standing_(standing) {}

#define GRAPNEL_HOOK(id, name, EventType, stage, module_has) \
  void name(EventType& event) override {                     \
    note_loaded(Hook::name, event);                          \
    if (strikes(Hook::name, Fault::before)) strike();        \
    inner_.callback->name(event);                            \
    note_changed(Hook::name, event);                         \
    if (strikes(Hook::name, Fault::after)) strike();         \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  std::string type_name() const override {
    return inner_.callback->type_name();
  }
  std::string state_key() const override {
    return inner_.callback->state_key();
  }
  StateDict state_dict() const override {
    return inner_.callback->state_dict();
  }
  void load_state_dict(const StateDict& state) override {
    inner_.callback->load_state_dict(state);
  }
  void before_weights_loaded(LoadCheckpoint& event) override {
    inner_.callback->before_weights_loaded(event);
  }
  bool edits_weights() const override {
    return inner_.callback->edits_weights();
  }
  bool monitors() const override {
    return inner_.callback->monitors();
  }
  Place place() const override {
    return inner_.callback->place();
  }
  bool bounds_run() const override {
    return inner_.callback->bounds_run();
  }
  HookMask wanted(const HookMask&) const override {
    return inner_.callback->wanted(inner_.overridden);
  }

  void arm(const Plan& plan) {
    plan_ = plan;
    calls_ = 0;
  }
  bool struck() const {
    return struck_;
  }

 private:
  static bool is_between_steps(Hook hook) {
    return hook == Hook::on_train_epoch_start || hook == Hook::on_train_epoch_end ||
           hook == Hook::on_train_end || hook == Hook::on_fit_end || hook == Hook::on_fit_start ||
           hook == Hook::on_load_checkpoint || hook == Hook::teardown;
  }
  bool strikes(Hook hook, Fault fault) {
    if (!plan_ || plan_->hook != hook || plan_->fault != fault) return false;
    return ++calls_ == plan_->call;
  }
  [[noreturn]] void strike() {
    struck_ = true;
    throw std::runtime_error("scripted");
  }
  // The weights of a checkpoint, and those of a step, stand as soon as they are in the model.
  template <class EventType>
  void note_loaded(Hook hook, EventType& event) {
    if constexpr (std::is_base_of_v<Event, EventType>) {
      if (hook == Hook::on_load_checkpoint || hook == Hook::on_after_optimizer_step) {
        standing_.note(module_of(event), &event.trainer);
      }
    }
  }
  template <class EventType>
  void note_changed(Hook hook, EventType& event) {
    if constexpr (std::is_base_of_v<Event, EventType>) {
      if (is_between_steps(hook)) standing_.note(module_of(event), &event.trainer);
      if (hook == Hook::teardown) standing_.note_outside_of_run(module_of(event));
    }
  }

  CallbackHandle inner_;
  Standing& standing_;
  std::optional<Plan> plan_;
  int calls_ = 0;
  bool struck_ = false;
};

// Comes last: notes what stands after every step, and fails for others.
class Neighbour final : public Callback {
 public:
  explicit Neighbour(Standing& standing) : standing_(standing) {}

#define GRAPNEL_HOOK(id, name, EventType, stage, module_has)             \
  void name(EventType& event) override {                                 \
    note_changed(Hook::name, event);                                     \
    if (plan_ && plan_->hook == Hook::name && ++calls_ == plan_->call) { \
      struck_ = true;                                                    \
      throw std::runtime_error("scripted");                              \
    }                                                                    \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  void arm(const Plan& plan) {
    plan_ = plan;
    calls_ = 0;
  }
  bool struck() const {
    return struck_;
  }

 private:
  template <class EventType>
  void note_changed(Hook hook, EventType& event) {
    if constexpr (std::is_base_of_v<Event, EventType>) {
      if (hook == Hook::on_after_optimizer_step || hook == Hook::on_train_batch_end ||
          hook == Hook::on_train_epoch_start || hook == Hook::on_train_start ||
          hook == Hook::on_load_checkpoint) {
        standing_.note(module_of(event), &event.trainer);
      }
    }
  }

  Standing& standing_;
  std::optional<Plan> plan_;
  int calls_ = 0;
  bool struck_ = false;
};

bool same_groups(const std::vector<ParamGroup>& a, const std::vector<ParamGroup>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.options.find("lr")->second == y.options.find("lr")->second &&
           std::equal(x.params.begin(), x.params.end(), y.params.begin(), y.params.end(),
                      [](const auto& p, const auto& q) { return p.is_same(q); });
  });
}

// Within a step a batch normalization's statistics have moved, but nothing has been noted.
bool is_in_step(Hook hook) {
  return hook == Hook::on_before_zero_grad || hook == Hook::on_before_backward ||
         hook == Hook::on_after_backward || hook == Hook::on_before_optimizer_step ||
         hook == Hook::on_after_optimizer_step || hook == Hook::on_train_batch_end;
}

// What is done with the trainer so that the hook comes up.
enum class Call { fit, resumed_fit, test, predict };

Call call_for(Hook hook) {
  const std::string_view name = kHookNames[static_cast<size_t>(hook)];
  if (name.starts_with("on_test_")) return Call::test;
  if (name.starts_with("on_predict_")) return Call::predict;
  if (hook == Hook::on_load_checkpoint) return Call::resumed_fit;
  return Call::fit;
}

void make_call(Call call, Trainer& trainer, BackboneModule& module,
               const std::filesystem::path& checkpoint) {
  const auto loader = DataLoaders{std::make_shared<ToyLoader>(1)};
  switch (call) {
    case Call::fit:
      return trainer.fit(module, toy_data(3, 1));
    case Call::resumed_fit:
      return trainer.fit(module, toy_data(3, 1), {.ckpt_path = checkpoint.string()});
    case Call::test:
      trainer.test(module, loader);
      return;
    case Call::predict:
      trainer.predict(module, loader);
      return;
  }
}

// Returns whether the fault came up.
bool play(const CallbackRegistry::Entry& entry, const Plan& plan) {
  const TempDir directory;
  BackboneModule module;
  module.tensor("backbone.0.bias").set_requires_grad(false);  // the user's own choice
  TrainerOptions options = quiet(3);
  options.num_sanity_val_steps = 1;
  options.default_root_dir = directory.path();
  Standing standing;
  const auto make = [&] {
    return std::make_shared<Faulty>(
        make_callback(entry.name(), configuration(entry, directory.path()), entry.name()),
        standing);
  };
  const std::filesystem::path checkpoint = directory / "before.ckpt";
  const Call call = call_for(plan.hook);
  if (call == Call::resumed_fit) {
    BackboneModule first;
    first.tensor("backbone.0.bias").set_requires_grad(false);
    TrainerOptions one_epoch = options;
    one_epoch.max_epochs = 1;
    Trainer trainer(one_epoch, {make()});
    try {
      trainer.fit(first, toy_data(3, 1));
      trainer.save_checkpoint(checkpoint);
    } catch (const std::exception&) {
      return false;  // not for this model
    }
  }

  auto faulty = make();
  auto neighbour = std::make_shared<Neighbour>(standing);
  Trainer trainer(options, {faulty, neighbour});
  if (call == Call::test || call == Call::predict) {
    try {
      trainer.fit(module, toy_data(3, 1));
    } catch (const std::exception&) {
      return false;  // not for this model
    }
  }
  standing.note(module, &trainer);
  standing.note_outside_of_run(module);
  const Standing before = standing;
  const auto modes = module.training_modes();
  if (plan.fault == Fault::elsewhere) {
    neighbour->arm(plan);
  } else {
    faulty->arm(plan);
  }
  bool failed = false;
  std::string message;
  try {
    make_call(call, trainer, module, checkpoint);
  } catch (const std::exception& error) {
    failed = true;
    message = error.what();
  }
  INFO(message);
  const bool struck = faulty->struck() || neighbour->struck();
  if (!failed) return struck;

  Standing now;
  now.note(module, &trainer);
  now.note_outside_of_run(module);
  CHECK(now.trainable == standing.trainable);
  CHECK(now.names == standing.names);
  CHECK(module.training_modes() == modes);
  // A resume that fails gives back the weights that the checkpoint's had replaced.
  const Standing& weights = struck && plan.hook == Hook::on_load_checkpoint ? before : standing;
  CHECK(same_weights(now.parameters, weights.parameters));
  if (!is_in_step(plan.hook)) CHECK(same_weights(now.buffers, weights.buffers));
  if (!standing.groups.empty()) CHECK(same_groups(now.groups, standing.groups));
  CHECK(module.net().backbone->norm->options.momentum() == 0.1);
  if (call == Call::fit) CHECK(trainer.state().max_epochs == 3);
  return struck;
}

}  // namespace

TEST_CASE(
    "an exception in any hook of any built-in callback leaves the model as it was without leases") {
  for (const CallbackRegistry::Entry& entry : callback_registry()) {
    const TempDir directory;
    const CallbackHandle sample =
        make_callback(entry.name(), configuration(entry, directory.path()), entry.name());
    const HookMask wanted = sample.callback->wanted(sample.overridden);
    int struck = 0;
    for (size_t i = 0; i < kHookCount; ++i) {
      if (!wanted.test(i)) continue;
      for (const Fault fault : {Fault::before, Fault::after}) {
        for (const int call : {1, 3}) {
          INFO(entry.name() << ": " << (fault == Fault::before ? "before" : "after") << " its "
                            << kHookNames[i] << ", call " << call);
          struck += play(entry, {static_cast<Hook>(i), fault, call}) ? 1 : 0;
        }
      }
    }
    INFO(entry.name());
    // A callback of which no hook comes up with this model would be tested for nothing.
    CHECK((struck > 0 || wanted == HookMask{}));
  }
}

TEST_CASE(
    "an exception in another callback, in any hook, leaves the model as it was without leases") {
  for (const CallbackRegistry::Entry& entry : callback_registry()) {
    for (size_t i = 0; i < kHookCount; ++i) {
      const auto hook = static_cast<Hook>(i);
      if (hook == Hook::on_init_start || hook == Hook::on_init_end) continue;  // no run yet
      INFO(entry.name() << ": another one's " << kHookNames[i]);
      play(entry, {hook, Fault::elsewhere, 2});
    }
  }
}

}  // namespace fault_test
