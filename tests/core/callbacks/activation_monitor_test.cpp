#include "grapnel/callbacks/activation_monitor.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/registry.h"
#include "grapnel/data/digits.h"
#include "grapnel/layer_observer.h"
#include "grapnel/loggers/memory_logger.h"
#include "grapnel/models/registry.h"
#include "grapnel/nn_module.h"
#include "grapnel/observed.h"

namespace activation_monitor_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace nn = torch::nn;

namespace {

// Two linear layers with the same ReLU after each of them; "plain" is not observed.
struct SharedNet : nn::Module {
  SharedNet() {
    register_module("inner", inner);
    register_module("relu", relu);
    register_module("head", head);
    register_module("plain", plain);
    const at::NoGradGuard no_grad;
    double k = 0;
    for (at::Tensor& tensor : parameters()) {
      tensor.copy_(at::sin(at::arange(tensor.numel(), at::kDouble) + k).view(tensor.sizes()));
      k += 1.7;
    }
  }

  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor first = relu(inner(x));
    const at::Tensor second = relu(first - 0.4);
    seen = {first.detach(), second.detach()};
    return plain(head(second * factor));
  }

  Observed<nn::Linear> inner{3, 5};
  Observed<nn::ReLU> relu;
  Observed<nn::Linear> head{5, 1};
  nn::Identity plain;
  double factor = 1.0;
  std::vector<at::Tensor> seen;  // what relu put out in the last pass
};

class Observing : public NNModule {
 public:
  Observing() : Observing(std::make_shared<SharedNet>()) {}

  StepOutput training_step(Batch& batch, int64_t batch_idx) override {
    watched.push_back(LayerObserver::watching());
    if (bad_at == batch_idx) net->factor = std::numeric_limits<double>::infinity();
    const at::Tensor output = forward(batch[0]);
    for (const at::Tensor& tensor : net->seen) put_out.push_back(tensor.flatten());
    if (fails_at == batch_idx) throw std::runtime_error("scripted");
    net->factor = 1.0;
    return (output - batch[1]).pow(2).mean();
  }
  StepOutput validation_step(Batch& batch, int64_t, int64_t) override {
    watched_in_validation = watched_in_validation || LayerObserver::watching();
    forward(batch[0]);
    return {};
  }
  OptimizerConfig configure_optimizers() override {
    return std::make_shared<SGD>(parameters(), SGDOptions{.lr = 0.01});
  }

  std::shared_ptr<SharedNet> net;
  std::optional<int64_t> bad_at;
  std::optional<int64_t> fails_at;
  std::vector<bool> watched;        // per training step
  std::vector<at::Tensor> put_out;  // by relu, of all training steps
  bool watched_in_validation = false;

 private:
  explicit Observing(std::shared_ptr<SharedNet> network) : NNModule(network), net(network) {}
};

// Computes the model once more in hooks, as callbacks that show examples do.
class Peeking final : public Callback {
 public:
  void on_train_batch_start(TrainBatchStart& event) override { peek(event, event.batch); }
  void on_before_optimizer_step(OptimizerEvent& event) override {
    peek(event, Batch({at::full({2, 3}, 1e6)}));
  }
  void on_train_batch_end(TrainBatchEnd& event) override { peek(event, event.batch); }

 private:
  static void peek(Event& event, const Batch& batch) {
    const at::NoGradGuard no_grad;
    event.module.forward(batch[0] + 1e6);
  }
};

double logged(const MemoryLogger& logger, size_t row, std::string_view name) {
  for (const auto& [known, value] : logger.rows().at(row).metrics) {
    if (known == name) return value;
  }
  throw std::runtime_error("not logged");
}

struct Run {
  std::shared_ptr<MemoryLogger> logger = std::make_shared<MemoryLogger>();
  std::shared_ptr<ActivationMonitor> monitor;
};

Run run(Observing& module, ActivationMonitorOptions options, int64_t accumulate = 1,
        int64_t batches = 4) {
  Run made;
  made.monitor = std::make_shared<ActivationMonitor>(std::move(options));
  TrainerOptions trainer_options = quiet(1);
  trainer_options.loggers = {made.logger};
  trainer_options.log_every_n_steps = 2;
  trainer_options.accumulate_grad_batches = accumulate;
  Trainer trainer(trainer_options, {std::make_shared<Peeking>(), made.monitor});
  trainer.fit(module, toy_data(batches, 1));
  return made;
}

const ActivationMonitor::Statistics& of(const ActivationMonitor& monitor, std::string_view layer) {
  for (const auto& [name, statistics] : monitor.statistics()) {
    if (name == layer) return statistics;
  }
  throw std::runtime_error("not looked at");
}

}  // namespace

TEST_CASE(
    "ActivationMonitor's statistics cover all calls of a layer and all batches of an accumulation "
    "window") {
  for (const int64_t accumulate : {1, 2}) {
    Observing module;
    const Run made = run(module, {.every_n_steps = 2}, accumulate, 4);
    const int64_t from = accumulate == 1 ? 6 : 4;  // the last step's, two of each batch
    const at::Tensor all =
        at::cat(std::vector<at::Tensor>(module.put_out.begin() + from, module.put_out.end()))
            .to(at::kDouble);
    const auto& relu = of(*made.monitor, "relu");
    CHECK(relu.mean == Approx(all.mean().item<double>()));
    CHECK(relu.std == Approx(all.std(/*unbiased=*/false).item<double>()));
    CHECK(relu.max_abs == Approx(all.abs().max().item<double>()));
    CHECK(relu.zeros == Approx(all.eq(0).to(at::kDouble).mean().item<double>()));
    CHECK(relu.zeros > 0.0);
    CHECK(relu.nonfinite == 0.0);
    REQUIRE(made.logger->rows().size() == (accumulate == 1 ? 2 : 1));
    CHECK(made.logger->rows()[0].step == 1);
    CHECK(logged(*made.logger, accumulate == 1 ? 1 : 0, "activation/relu/std") == relu.std);
    CHECK(made.logger->rows()[0].metrics.size() == 3 * 5 + 1);  // and the epoch
  }
}

TEST_CASE("ActivationMonitor observes only the chosen steps, by default those that are logged") {
  Observing module;
  const Run by_default = run(module, {}, 1, 5);
  CHECK(module.watched == std::vector<bool>{false, true, false, true, false});
  CHECK_FALSE(module.watched_in_validation);
  CHECK(by_default.logger->rows().size() == 2);
  Observing third;
  run(third, {.every_n_steps = 3}, 1, 5);
  CHECK(third.watched == std::vector<bool>{false, false, true, false, false});
  Observing windows;
  run(windows, {.every_n_steps = 2}, 2, 6);
  CHECK(windows.watched == std::vector<bool>{false, false, true, true, false, false});
  CHECK_FALSE(LayerObserver::watching());
}

TEST_CASE("ActivationMonitor names the first layer with a non-finite output, once while it lasts") {
  const CapturedLog log;
  Observing module;
  module.bad_at = 3;
  const Run made = run(module, {.every_n_steps = 1});
  CHECK(made.monitor->first_nonfinite_layer() == "head");
  CHECK_THAT(log.text(), Contains("at step 3 layer 'head' (Linear) is the first"));
  CHECK(of(*made.monitor, "head").nonfinite == 1.0);
  CHECK(std::isnan(of(*made.monitor, "head").mean));
  CHECK(of(*made.monitor, "relu").nonfinite == 0.0);

  Observing forever;
  const CapturedLog second;
  forever.net->inner->weight.data()[0][0] = std::numeric_limits<float>::quiet_NaN();
  const Run all = run(forever, {.every_n_steps = 1});
  const std::string text = second.text();
  CHECK_THAT(text, Contains("layer 'inner' (Linear)"));
  CHECK(text.find("is the first") == text.rfind("is the first"));
  // One of five units, in both samples: the others' statistics stay readable at the first step.
  CHECK(of(*all.monitor, "inner").nonfinite > 0.0);
}

TEST_CASE("a failing step ends the observation and names the layer with the non-finite output") {
  const CapturedLog log;
  Observing module;
  module.fails_at = module.bad_at = 2;
  CHECK_THROWS_WITH(run(module, {.every_n_steps = 1}), Contains("scripted"));
  CHECK_FALSE(LayerObserver::watching());
  CHECK_THAT(log.text(), Contains("layer 'head' (Linear) is the first"));
  module.fails_at.reset();
  module.bad_at.reset();
  module.net->factor = 1.0;
  CHECK(run(module, {.every_n_steps = 1}).monitor->first_nonfinite_layer().empty());
}

TEST_CASE("several activation monitors observe different layers at once") {
  Observing module;
  auto one = std::make_shared<ActivationMonitor>(
      ActivationMonitorOptions{.layers = {"relu"}, .every_n_steps = 1});
  auto other = std::make_shared<ActivationMonitor>(
      ActivationMonitorOptions{.layers = {"?nner", "h*"}, .every_n_steps = 1});
  Trainer trainer(quiet(1), {one, other});
  trainer.fit(module, toy_data(2, 0));
  CHECK(one->layers() == std::vector<std::string>{"relu"});
  CHECK(other->layers() == std::vector<std::string>{"inner", "head"});
  CHECK(one->statistics().size() == 1);
  CHECK(other->statistics().size() == 2);
  CHECK(trainer.callback_metrics().at("activation/relu/zeros") ==
        one->statistics()[0].second.zeros);
}

TEST_CASE("layers that can't be observed are refused before the training, saying what to do") {
  const auto fit = [](Module& module, const ModuleMask& mask, std::vector<std::string> layers) {
    Trainer trainer(quiet(1), {std::make_shared<ActivationMonitor>(
                                  ActivationMonitorOptions{.layers = std::move(layers)})});
    trainer.fit(ModuleRef(module, mask), toy_data(1, 0));
  };
  Observing module;
  const ModuleMask mask = overridden_module_functions<Observing>();
  CHECK_THROWS_WITH(fit(module, mask, {"inner", "rellu"}), Contains("did you mean 'relu'?"));
  CHECK_THROWS_WITH(fit(module, mask, {"plain"}), Contains("'plain' is not observed") &&
                                                      Contains("Observed<torch::nn::Identity>"));
  ToyModule toy;
  CHECK_THROWS_WITH(fit(toy, overridden_module_functions<ToyModule>(), {"*"}),
                    Contains("no observed layers") && Contains("grapnel/observed.h"));
  CHECK_THROWS_WITH(ActivationMonitor({.layers = {}}),
                    Contains("layers must have 1 to 10000 items, found 0"));
  CHECK_THROWS_WITH(ActivationMonitor({.every_n_steps = 0}),
                    Contains("every_n_steps must be at least 1, found the integer 0"));
}

TEST_CASE("ActivationMonitor works in every floating dtype, and large values don't overflow it") {
  for (const Precision precision : {Precision::f64_true, Precision::bf16_true, Precision::f16_true,
                                    Precision::bf16_mixed, Precision::f16_mixed}) {
    INFO(to_string(precision));
    Observing module;
    TrainerOptions options = quiet(1);
    options.precision = precision;
    auto monitor =
        std::make_shared<ActivationMonitor>(ActivationMonitorOptions{.every_n_steps = 1});
    Trainer trainer(options, {monitor});
    trainer.fit(module, toy_data(1, 0));
    const at::Tensor all = at::cat(module.put_out).to(at::kDouble);
    CHECK(of(*monitor, "relu").mean == Approx(all.mean().item<double>()));
    CHECK(of(*monitor, "relu").std == Approx(all.std(false).item<double>()));
  }
  Observing module;
  const at::NoGradGuard no_grad;
  module.net->inner->weight.data().mul_(1e25);
  const Run made = run(module, {.every_n_steps = 1}, 1, 1);
  const at::Tensor all = at::cat(module.put_out).to(at::kDouble);
  CHECK(of(*made.monitor, "relu").std == Approx(all.std(false).item<double>()));
}

TEST_CASE(
    "a failing observation of a layer follows the callback's on_error and leaves the step alone") {
  struct Net : nn::Module {
    struct ElsewhereImpl : nn::Module {
      at::Tensor forward(const at::Tensor& x) {
        return at::empty(x.sizes(), x.options().device(at::kMeta));
      }
    };
    TORCH_MODULE(Elsewhere);
    Net() {
      register_module("linear", linear);
      register_module("elsewhere", elsewhere);
    }
    at::Tensor forward(const at::Tensor& x) {
      elsewhere(x);
      return linear(x);
    }
    Observed<nn::Linear> linear{3, 1};
    Observed<Elsewhere> elsewhere;
  };
  class Elsewhere final : public NNModule {
   public:
    Elsewhere() : NNModule(std::make_shared<Net>()) {}
    StepOutput training_step(Batch& batch, int64_t) override {
      ++steps;
      return forward(batch[0]).pow(2).mean();
    }
    OptimizerConfig configure_optimizers() override {
      return std::make_shared<SGD>(parameters(), SGDOptions{.lr = 0.01});
    }
    int steps = 0;
  };
  Elsewhere module;
  CallbackHandle handle =
      std::make_shared<ActivationMonitor>(ActivationMonitorOptions{.every_n_steps = 1});
  Trainer failing(quiet(1), {handle});
  CHECK_THROWS(failing.fit(module, toy_data(3, 0)));
  CHECK_FALSE(LayerObserver::watching());
  CHECK(module.steps == 1);
  handle.on_error = OnError::disable;
  Trainer going_on(quiet(1), {handle});
  going_on.fit(module, toy_data(3, 0));
  CHECK(module.steps == 4);
  CHECK_FALSE(LayerObserver::watching());
}

TEST_CASE("the models of run.json can be watched, with the monitor made by its name") {
  for (const char* model :
       {R"({"name": "mlp", "hidden": [8]})", R"({"name": "cnn", "channels": [2]})"}) {
    const MadeModel made = make_model(parse_json(model, "run.json"), "model");
    DigitsDataModule data({.batch_size = 256});
    auto logger = std::make_shared<MemoryLogger>();
    TrainerOptions options = quiet(1);
    options.loggers = {logger};
    options.limit_train_batches = 2;
    Trainer trainer(options, {make_callback("activation_monitor",
                                            parse_json(R"({"every_n_steps": 1})", "run.json"),
                                            "callbacks.activation_monitor")});
    trainer.fit(made.ref(), data);
    INFO(model);
    CHECK(std::isfinite(logged(*logger, 0, "activation/out/mean")));
    const MetricDict& metrics = trainer.callback_metrics();
    const std::string relu = made.module->type_name() == "MLP" ? "hidden0_relu" : "block0_relu";
    CHECK(metrics.at("activation/" + relu + "/zeros") > 0.0);
    CHECK(metrics.at("activation/flatten/nonfinite") == 0.0);
  }
}

}  // namespace activation_monitor_test
