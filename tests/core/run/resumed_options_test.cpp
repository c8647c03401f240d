// Whose options count in a resumed fit, and what is said about those that don't.
#include "../support/recorder.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/lr_schedulers.h"
#include "grapnel/optim.h"
#include "temp_dir.h"
#include "toy.h"

namespace resumed_options_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// Makes its optimizers as it is told to.
class ChosenModule : public ToyModule {
 public:
  using Make = std::function<OptimizerConfig(const std::vector<at::Tensor>&)>;
  explicit ChosenModule(Make make) : make_(std::move(make)) {}
  OptimizerConfig configure_optimizers() override { return make_({weight, bias}); }

 private:
  Make make_;
};

ChosenModule::Make sgd(SGDOptions options) {
  return [=](const std::vector<at::Tensor>& params) -> OptimizerConfig {
    return std::make_shared<SGD>(params, options);
  };
}
ChosenModule::Make adam(AdamOptions options) {
  return [=](const std::vector<at::Tensor>& params) -> OptimizerConfig {
    return std::make_shared<Adam>(params, options);
  };
}
ChosenModule::Make with_steps(double lr, int64_t step_size) {
  return [=](const std::vector<at::Tensor>& params) -> OptimizerConfig {
    const auto optimizer = std::make_shared<SGD>(params, SGDOptions{.lr = lr});
    OptimizerConfig config(optimizer);
    config.schedulers = {
        {.scheduler = std::make_shared<StepLR>(optimizer, StepLROptions{.step_size = step_size})}};
    return config;
  };
}

// Two epochs of three batches, then `last.ckpt`.
void train_first(const ChosenModule::Make& make, const std::filesystem::path& file,
                 const std::string& from = {}, int64_t epochs = 2) {
  ChosenModule module(make);
  Trainer trainer(quiet(epochs));
  trainer.fit(module, toy_data(), {.ckpt_path = from});
  trainer.save_checkpoint(file);
}

struct Resumed {
  std::map<std::string, double, std::less<>> options;
  std::vector<std::string> warnings;
};

Resumed resume(const ChosenModule::Make& make, const std::filesystem::path& file,
               std::vector<CallbackHandle> callbacks = {}) {
  const CapturedLog log;
  ChosenModule module(make);
  Trainer trainer(quiet(4), std::move(callbacks));
  trainer.fit(module, toy_data(), {.ckpt_path = file.string()});
  CHECK(trainer.global_step() == 12);
  Resumed result{trainer.optimizers()[0]->groups()[0].options, {}};
  for (const std::string& text : log.texts(LogLevel::warning)) {
    if (text.find("checkpoint") != std::string::npos) result.warnings.push_back(text);
  }
  return result;
}

// Sets an option of the first group in a hook.
std::shared_ptr<Recorder> setter(Trace& trace, const std::string& hook, const std::string& option,
                                 double value) {
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [=](const std::string& now, Trainer& trainer) {
    if (now == hook) trainer.optimizers()[0]->groups()[0].options[option] = value;
  };
  return recorder;
}

}  // namespace

TEST_CASE("each changed option of an optimizer is named once: the checkpoint's is used") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  train_first(adam({.lr = 0.001}), file);
  const Resumed changed = resume(adam({.lr = 0.1, .weight_decay = 0.5, .amsgrad = true}), file);
  CHECK(changed.options.at("lr") == 0.001);
  CHECK(changed.options.at("weight_decay") == 0.0);
  CHECK(changed.options.at("amsgrad") == 0.0);
  REQUIRE(changed.warnings.size() == 3);
  const std::string all = changed.warnings[0] + changed.warnings[1] + changed.warnings[2];
  CHECK_THAT(all, Contains("Adam: the checkpoint's lr=0.001 is used, not 0.1"));
  CHECK_THAT(all, Contains("the checkpoint's weight_decay=0 is used, not 0.5"));
  CHECK_THAT(all, Contains("the checkpoint's amsgrad=0 is used, not 1"));
  CHECK(resume(adam({.lr = 0.001}), file).warnings.empty());
}

TEST_CASE("a rate that a schedule or a callback changed is no change of the program's") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  train_first(with_steps(0.1, 1), file);
  CHECK(resume(with_steps(0.1, 1), file).warnings.empty());
  const Resumed changed = resume(with_steps(0.5, 1), file);
  REQUIRE(changed.warnings.size() == 1);
  CHECK_THAT(changed.warnings[0], Contains("SGD: the checkpoint's lr=0.1 is used, not 0.5"));

  Trace trace;
  ChosenModule module(sgd({.lr = 0.1}));
  Trainer trainer(quiet(2), {setter(trace, "on_train_epoch_end", "lr", 0.03)});
  trainer.fit(module, toy_data());
  trainer.save_checkpoint(file);
  const Resumed same = resume(sgd({.lr = 0.1}), file);
  CHECK(same.warnings.empty());
  CHECK(same.options.at("lr") == 0.03);
}

TEST_CASE("a changed option is named again by every later resume") {
  const TempDir directory;
  const auto first = directory / "a.ckpt";
  const auto second = directory / "b.ckpt";
  train_first(sgd({.lr = 0.1, .momentum = 0.9}), first);
  train_first(sgd({.lr = 0.1, .momentum = 0.5}), second, first.string(), 3);
  CHECK(resume(sgd({.lr = 0.1, .momentum = 0.5}), second).warnings.size() == 1);
  CHECK(resume(sgd({.lr = 0.1, .momentum = 0.9}), second).warnings.empty());
}

TEST_CASE("a scheduler that is dropped or added on resume is named") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  train_first(with_steps(0.1, 1), file);
  const Resumed dropped = resume(sgd({.lr = 0.1}), file);
  REQUIRE(dropped.warnings.size() == 1);
  CHECK_THAT(dropped.warnings[0], Contains("StepLR") && Contains("schedule ends here"));

  train_first(sgd({.lr = 0.1}), file);
  const Resumed added = resume(with_steps(0.1, 1), file);
  REQUIRE(added.warnings.size() == 1);
  CHECK_THAT(added.warnings[0], Contains("StepLR is not in the checkpoint"));
}

TEST_CASE("what a callback sets in on_fit_start of a resumed fit counts") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  const auto scheduled = directory / "b.ckpt";
  train_first(sgd({.lr = 0.1, .momentum = 0.9}), file);
  train_first(with_steps(0.1, 100), scheduled);
  for (const double value : {0.03, 0.5}) {
    Trace trace;
    CHECK(resume(sgd({.lr = 0.5, .momentum = 0.9}), file,
                 {setter(trace, "on_fit_start", "lr", value)})
              .options.at("lr") == value);
    CHECK(resume(sgd({.lr = 0.1, .momentum = 0.9}), file,
                 {setter(trace, "on_fit_start", "momentum", value)})
              .options.at("momentum") == value);
    CHECK(resume(with_steps(0.1, 100), scheduled, {setter(trace, "on_fit_start", "lr", value)})
              .options.at("lr") == value);
  }
}

TEST_CASE("a callback sees the checkpoint's options in on_fit_start of a resumed fit") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  train_first(sgd({.lr = 0.1}), file);
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  double seen = 0;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_fit_start") seen = trainer.optimizers()[0]->groups()[0].options.at("lr");
  };
  resume(sgd({.lr = 0.7}), file, {recorder});
  CHECK(seen == 0.1);
}

TEST_CASE("a precision that a resume changes is named with both values") {
  const TempDir directory;
  const auto file = directory / "last.ckpt";
  train_first(sgd({.lr = 0.1}), file);
  for (const Precision precision :
       {Precision::f64_true, Precision::bf16_true, Precision::bf16_mixed, Precision::f32_true}) {
    const CapturedLog log;
    ChosenModule module(sgd({.lr = 0.1}));
    TrainerOptions options = quiet(3);
    options.precision = precision;
    Trainer trainer(std::move(options));
    trainer.fit(module, toy_data(), {.ckpt_path = file.string()});
    size_t told = 0;
    for (const std::string& text : log.texts(LogLevel::warning)) {
      if (text.find("precision=\"32-true\"") == std::string::npos) continue;
      CHECK_THAT(text, Contains("continues with \"" + std::string(to_string(precision)) + "\""));
      ++told;
    }
    CHECK(told == (precision == Precision::f32_true ? 0 : 1));
  }
}

TEST_CASE("a resume that another optimizer refuses changes nothing and names the file") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  {
    ChosenModule module(sgd({.lr = 0.1}));
    Trainer trainer(quiet(2), {std::make_shared<EarlyStopping>("val_loss")});
    trainer.fit(module, toy_data());
    trainer.save_checkpoint(file);
  }
  const auto split = [](const std::vector<at::Tensor>& params) -> OptimizerConfig {
    return std::make_shared<SGD>(
        std::vector<ParamGroup>{{.params = {params[0]}}, {.params = {params[1]}}},
        SGDOptions{.lr = 0.1});
  };
  const auto two = [](const std::vector<at::Tensor>& params) {
    OptimizerConfig config;
    for (const at::Tensor& param : params) {
      config.optimizers.push_back(
          std::make_shared<SGD>(std::vector<at::Tensor>{param}, SGDOptions{.lr = 0.1}));
    }
    return config;
  };
  const auto other_schedule = [](const std::vector<at::Tensor>& params) -> OptimizerConfig {
    return std::make_shared<SGD>(std::vector<at::Tensor>{params[0]}, SGDOptions{.lr = 0.1});
  };
  for (const ChosenModule::Make& make :
       {adam({}), ChosenModule::Make(split), ChosenModule::Make(two),
        ChosenModule::Make(other_schedule)}) {
    const auto stopping = std::make_shared<EarlyStopping>("val_loss");
    ChosenModule module(make);
    const at::Tensor before = module.weight.detach().clone();
    Trainer trainer(quiet(4), {stopping});
    std::string refused;
    try {
      trainer.fit(module, toy_data(), {.ckpt_path = file.string()});
    } catch (const CheckpointError& error) {
      refused = error.what();
      CHECK(error.path == file);
    }
    CHECK_THAT(refused, Contains(file.string()));
    CHECK(at::equal(module.weight.detach(), before));
    CHECK(trainer.global_step() == 0);
    CHECK(trainer.current_epoch() == 0);
    CHECK(stopping->best_score() == EarlyStopping("val_loss").best_score());
    CHECK_FALSE(trainer.resumable());
  }
}

TEST_CASE("a file of weights alone is refused for a resume before anything is changed") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  {
    ChosenModule module(sgd({.lr = 0.1}));
    Trainer trainer(quiet(2));
    trainer.fit(module, toy_data());
    trainer.save_checkpoint(file, /*weights_only=*/true);
  }
  ChosenModule module(sgd({.lr = 0.1}));
  const at::Tensor before = module.weight.detach().clone();
  Trainer trainer(quiet(4));
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(), {.ckpt_path = file.string()}),
                    Contains("only the model's weights") && Contains(file.string()));
  CHECK(at::equal(module.weight.detach(), before));
  CHECK(trainer.global_step() == 0);
}

}  // namespace resumed_options_test
