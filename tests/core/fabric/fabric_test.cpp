#include "grapnel/fabric.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/callbacks/lambda_callback.h"
#include "grapnel/checkpoint.h"
#include "grapnel/loggers/memory_logger.h"
#include "grapnel/lr_schedulers/step_lr.h"
#include "temp_dir.h"
#include "toy.h"

namespace fabric_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Writes its name and the event's into a list that all share.
class Named : public EventHandlers {
 public:
  Named(std::string name, std::vector<std::string>& trace) : name_(std::move(name)) {
    on("on_x", [this, &trace] { trace.push_back(name_ + ".on_x"); });
  }
  std::string owner_name() const override { return name_; }

 private:
  std::string name_;
};

// A standard callback with a state and a handler of its own.
class Standard : public Callback, public EventHandlers {
 public:
  Standard() { on("on_special", &Standard::special, {"loss"}); }
  void on_train_batch_start(TrainBatchStart& event) override {
    trace.push_back(fmt::format("start {}", event.batch_idx));
  }
  void on_train_batch_end(TrainBatchEnd& event) override {
    const auto loss = event.outputs.loss_value();
    trace.push_back(fmt::format("end {} of {} loss {}", event.batch_idx, event.batch.size(),
                                loss ? fmt::format("{}", *loss) : "none"));
    ++batches;
  }
  void on_train_epoch_end(Event& event) override {
    log(event, "batches", batches);
    event.trainer.request_stop("enough");
    event.trainer.request(RequestKind::save, "now is good");
  }
  void on_after_optimizer_step(OptimizerEvent& event) override {
    trace.push_back(
        fmt::format("stepped {} to {}", event.optimizer_idx, event.trainer.global_step()));
  }
  void special(CustomEvent& event, double loss) { log(event, "special", loss); }
  StateDict state_dict() const override { return {{"batches", batches}}; }
  void load_state_dict(const StateDict& state) override {
    const int64_t loaded = state.at("batches").to_int();
    if (loaded < 0) throw CheckpointError({}, "batches can't be negative");
    batches = loaded;
  }

  std::vector<std::string> trace;
  int64_t batches = 0;
};

std::shared_ptr<SGD> sgd_of(ToyModule& net, double lr = 0.1) {
  return std::make_shared<SGD>(std::vector<at::Tensor>{net.weight, net.bias},
                               SGDOptions{.lr = lr, .momentum = 0.9});
}

at::Tensor loss_of(ToyModule& net, Batch& batch) {
  return (net.forward(batch[0]) - batch[1]).pow(2).mean();
}

}  // namespace

TEST_CASE("Fabric::call reaches the callbacks that have the name, in the order they were given") {
  std::vector<std::string> trace;
  auto a = std::make_shared<Named>("a", trace);
  auto b = std::make_shared<Named>("b", trace);
  Fabric fabric({.callbacks = {b, a, b}});
  fabric.call("on_x");
  fabric.call("nobody_has_this", 1, arg("two", 2));
  CHECK(trace == std::vector<std::string>{"b.on_x", "a.on_x", "b.on_x"});
}

TEST_CASE("an exception in a callback leaves Fabric::call, and later callbacks are not called") {
  std::vector<std::string> trace;
  auto first = std::make_shared<Named>("first", trace);
  auto bad = std::make_shared<EventHandlers>();
  bad->on("on_x", [] { throw std::runtime_error("broken"); });
  Fabric fabric({.callbacks = {first, bad, std::make_shared<Named>("last", trace)}});
  CHECK_THROWS_WITH(fabric.call("on_x"), "broken");
  CHECK(trace == std::vector<std::string>{"first.on_x"});
}

TEST_CASE("Fabric::call skips a handler that isn't callable, with a warning") {
  const CapturedLog log;
  std::vector<std::string> trace;
  auto odd = std::make_shared<EventHandlers>();
  odd->on("on_x", std::function<void(int)>(), {"a"});
  Fabric fabric({.callbacks = {odd, std::make_shared<Named>("other", trace)}});
  fabric.call("on_x");
  CHECK(trace == std::vector<std::string>{"other.on_x"});
  CHECK(log.texts(LogLevel::warning) ==
        std::vector<std::string>{"skipping EventHandlers.on_x: it is not callable"});
}

TEST_CASE("a Fabric loop trains as the Trainer does, bit for bit") {
  ToyModule ours;
  ToyModule theirs;
  Fabric fabric;
  auto optimizer =
      fabric.setup(ours, std::make_shared<Adam>(std::vector<at::Tensor>{ours.weight, ours.bias},
                                                AdamOptions{.lr = 0.05}));
  auto batches = fabric.setup_dataloader(std::make_shared<ToyLoader>(3));
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    for (Batch& batch : batches) {
      optimizer.zero_grad();
      fabric.backward(loss_of(ours, batch));
      optimizer.step();
    }
  }
  CHECK(fabric.global_step() == 12);
  Trainer trainer(quiet(4));
  trainer.fit(theirs, std::make_shared<ToyLoader>(3));
  CHECK(at::equal(ours.weight, theirs.weight));
  CHECK(at::equal(ours.bias, theirs.bias));
}

TEST_CASE(
    "Fabric::call makes a standard hook's event from arguments with the names of its fields") {
  auto standard = std::make_shared<Standard>();
  Fabric fabric({.callbacks = {standard}});
  ToyModule net;
  auto optimizer = fabric.setup(net, sgd_of(net));
  Batch batch({at::ones({2, 3}), at::ones({2, 1})});
  fabric.call("on_train_epoch_start");
  fabric.call("on_train_batch_start", arg("batch", std::ref(batch)));
  fabric.backward(loss_of(net, batch));
  optimizer.step();
  fabric.call("on_train_batch_end", arg("loss", at::tensor(2.5)), arg("batch", std::ref(batch)),
              arg("anything", "else"));
  fabric.call("on_train_batch_start");
  fabric.call("on_train_batch_end");
  StepOutput outputs(at::tensor(0.5));
  fabric.call("on_train_batch_end", std::ref(outputs), std::ref(batch), 7);
  CHECK(standard->trace == std::vector<std::string>{"start 0", "stepped 0 to 1",
                                                    "end 0 of 2 loss 2.5", "start 1",
                                                    "end 1 of 0 loss none", "end 7 of 2 loss 0.5"});
}

TEST_CASE("arguments that don't fit a standard hook are refused by name") {
  auto standard = std::make_shared<Standard>();
  Fabric fabric({.callbacks = {standard}});
  CHECK_THROWS_WITH(fabric.call("on_train_batch_end", arg("batch", 3)),
                    "on_train_batch_end: the argument 'batch' must be a Batch, passed by std::ref, "
                    "found the integer 3");
  CHECK_THROWS_WITH(fabric.call("on_train_batch_end", arg("loss", "much")),
                    Catch::Matchers::Contains("must be a tensor or a number"));
  CHECK_THROWS_WITH(fabric.call("on_after_optimizer_step"),
                    "there is no optimizer 0: 0 were set up");
  auto lambda = std::make_shared<LambdaCallback>(
      LambdaHooks{.on_before_backward = [](BackwardEvent&) {}, .on_run_end = [](RunEnd&) {}});
  Fabric other({.callbacks = {lambda}});
  CHECK_THROWS_WITH(other.call("on_before_backward"),
                    Catch::Matchers::Contains("needs the argument 'loss'"));
  CHECK_THROWS_WITH(other.call("on_run_end", arg("outcome", "fine")),
                    Catch::Matchers::Contains("one of finished, stopped, interrupted, failed"));
}

TEST_CASE("every standard hook can be called by its name") {
  std::vector<std::string> called;
  LambdaHooks hooks;
#define GRAPNEL_HOOK(id, hook, EventType, stage, module) \
  hooks.hook = [&called](EventType&) { called.emplace_back(#hook); };
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  Fabric fabric({.callbacks = {std::make_shared<LambdaCallback>(std::move(hooks))}});
  ToyModule net;
  const auto optimizer = fabric.setup(net, sgd_of(net));
  called.clear();
  std::vector<std::string> expected;
  for (const std::string_view name : kHookNames) {
    fabric.call(name, arg("loss", 1.0));
    expected.emplace_back(name);
  }
  CHECK(called == expected);
}

TEST_CASE("Fabric calls a module that was set up after the callbacks, by its hooks and handlers") {
  std::vector<std::string> trace;
  struct Net : ToyModule, EventHandlers {
    explicit Net(std::vector<std::string>& list) : trace(list) {
      on("on_x", [this] { trace.emplace_back("module.on_x"); });
    }
    void on_train_start(Event&) override { trace.emplace_back("module.on_train_start"); }
    std::vector<std::string>& trace;
  };
  Net net(trace);
  Fabric fabric({.callbacks = {std::make_shared<Named>("callback", trace)}});
  fabric.setup(net);
  fabric.call("on_x");
  fabric.call("on_train_start");
  CHECK(trace == std::vector<std::string>{"callback.on_x", "module.on_x", "module.on_train_start"});
}

TEST_CASE("Fabric::setup notifies callbacks, takes several optimizers and refuses foreign ones") {
  int told = 0;
  auto listener = std::make_shared<EventHandlers>();
  listener->on("on_after_setup", [&](ToyModule&) { ++told; }, {"module"});
  Fabric fabric({.callbacks = {listener}});
  ToyModule net;
  ToyModule other;
  auto [first, second] = fabric.setup(
      net, std::make_shared<SGD>(std::vector<at::Tensor>{net.weight}, SGDOptions{.lr = 0.1}),
      std::make_shared<SGD>(std::vector<at::Tensor>{net.bias}, SGDOptions{.lr = 0.1}));
  CHECK(told == 1);
  CHECK(first.index() == 0);
  CHECK(second.index() == 1);
  CHECK_THROWS_WITH(fabric.setup(net), "ToyModule is set up already");
  CHECK_THROWS_WITH(fabric.setup(other, sgd_of(net)),
                    Catch::Matchers::Contains("is not one of ToyModule's"));
  CHECK_THROWS_WITH(fabric.setup_dataloader(nullptr), "the data loader to set up is null");
}

TEST_CASE("Fabric::backward refuses a tensor without gradients") {
  Fabric fabric;
  CHECK_THROWS_WITH(fabric.backward(at::Tensor()),
                    Catch::Matchers::Contains("found an undefined tensor"));
  CHECK_THROWS_WITH(fabric.backward(at::ones({2}).set_requires_grad(true)),
                    Catch::Matchers::Contains("found a tensor of shape [2]"));
  CHECK_THROWS_WITH(fabric.backward(at::ones({})), Catch::Matchers::Contains("without gradients"));
}

TEST_CASE("Fabric clips gradients by norm or by value") {
  Fabric fabric;
  ToyModule net;
  auto optimizer = fabric.setup(net, sgd_of(net));
  const auto gradients = [&] {
    net.weight.mutable_grad() = at::full({3, 1}, 3.0F);
    net.bias.mutable_grad() = at::full({1}, -4.0F);
  };
  gradients();
  fabric.clip_gradients(optimizer, 0.5);
  const double norm = std::sqrt(net.weight.grad().pow(2).sum().item().toDouble() +
                                net.bias.grad().pow(2).sum().item().toDouble());
  CHECK(norm == Approx(0.5).epsilon(1e-4));
  gradients();
  fabric.clip_gradients(optimizer, 1.0, ClipAlgorithm::value);
  CHECK(at::equal(net.weight.grad(), at::ones({3, 1})));
  CHECK(at::equal(net.bias.grad(), -at::ones({1})));
  CHECK_THROWS_AS(fabric.clip_gradients(optimizer, 0.0), ConfigError);
}

TEST_CASE("Fabric::log reaches every logger, with the given step or the next one") {
  auto logger = std::make_shared<MemoryLogger>();
  Fabric fabric({.loggers = {logger}});
  fabric.log("a", 1.0);
  fabric.log_dict({{"a", 2.0}, {"b", at::tensor(3.0)}});
  fabric.log("a", 4.0, 10);
  fabric.log("a", 5.0);
  REQUIRE(logger->rows().size() == 4);
  CHECK(logger->rows()[1].metrics == Logger::Metrics{{"a", 2.0}, {"b", 3.0}});
  std::vector<int64_t> steps;
  for (const auto& row : logger->rows()) steps.push_back(row.step);
  CHECK(steps == std::vector<int64_t>{0, 1, 10, 11});
  CHECK_THROWS_AS(fabric.log("a", at::ones({2})), MetricError);
}

TEST_CASE("under Fabric hooks log to loggers and monitors, and their requests reach the loop") {
  auto logger = std::make_shared<MemoryLogger>();
  auto standard = std::make_shared<Standard>();
  Fabric fabric({.callbacks = {standard}, .loggers = {logger}});
  fabric.call("on_special", arg("loss", 0.25));
  CHECK_FALSE(fabric.should_stop());
  fabric.call("on_train_batch_end");
  fabric.call("on_train_epoch_end");
  CHECK(fabric.should_stop());
  CHECK(fabric.take_request(RequestKind::save));
  CHECK_FALSE(fabric.take_request(RequestKind::save));
  CHECK(fabric.callback_metrics().at("special") == 0.25);
  CHECK(fabric.callback_metrics().at("batches") == 1);
  REQUIRE(logger->rows().size() == 2);
  CHECK(logger->rows()[0].metrics == Logger::Metrics{{"special", 0.25}});
  CHECK(fabric.trainer().current_epoch() == 1);
  CHECK(fabric.trainer().granted_requests().at(0).author == "Standard");
}

TEST_CASE("a Fabric checkpoint saves and restores the items and the callbacks' states") {
  TempDir directory;
  const auto path = directory / "sub" / "loop.ckpt";
  StateDict weights;
  {
    auto standard = std::make_shared<Standard>();
    standard->batches = 5;
    Fabric fabric({.callbacks = {standard}});
    ToyModule net;
    auto optimizer = fabric.setup(net, sgd_of(net));
    Batch batch({at::ones({2, 3}), at::ones({2, 1})});
    fabric.backward(loss_of(net, batch));
    optimizer.step();
    StepLR scheduler(optimizer.pointer(), 1, 0.5);
    scheduler.step();
    fabric.save(path, {{"model", net},
                       {"optimizer", optimizer},
                       {"scheduler", scheduler},
                       {"epoch", 3},
                       {"note", "half way"}});
    weights["weight"] = net.weight.detach().clone();
  }
  auto standard = std::make_shared<Standard>();
  Fabric fabric({.callbacks = {standard}});
  ToyModule net;
  auto optimizer = fabric.setup(net, sgd_of(net));
  StepLR scheduler(optimizer.pointer(), 1, 0.5);
  const StateDict rest =
      fabric.load(path, {{"model", net}, {"optimizer", optimizer}, {"scheduler", scheduler}});
  CHECK(at::equal(net.weight, weights.at("weight").to_tensor()));
  CHECK(optimizer.optimizer().groups()[0].options.at("lr") == 0.05);
  CHECK(optimizer.optimizer().state().size() == 2);
  CHECK(scheduler.last_lr() == std::vector<double>{0.05});
  CHECK(standard->batches == 5);
  CHECK(rest.at("epoch").to_int() == 3);
  CHECK(rest.at("note").to_string() == "half way");
  CHECK(rest.size() == 2);
}

TEST_CASE("a Fabric checkpoint that can't be loaded changes nothing") {
  TempDir directory;
  const auto path = directory / "loop.ckpt";
  auto standard = std::make_shared<Standard>();
  Fabric fabric({.callbacks = {standard}});
  ToyModule net;
  auto optimizer = fabric.setup(net, sgd_of(net));
  standard->batches = -1;
  fabric.save(path, {{"model", net}, {"optimizer", optimizer}});
  standard->batches = 2;
  net.weight.set_data(at::ones({3, 1}));
  optimizer.optimizer().groups()[0].options["lr"] = 0.7;
  CHECK_THROWS_AS(fabric.load(path, {{"model", net}, {"optimizer", optimizer}}), CheckpointError);
  CHECK(at::equal(net.weight, at::ones({3, 1})));
  CHECK(optimizer.optimizer().groups()[0].options.at("lr") == 0.7);
  CHECK(standard->batches == 2);
}

TEST_CASE(
    "a value that doesn't fit in a Fabric checkpoint is named with the file and its place in it") {
  TempDir directory;
  const auto path = directory / "loop.ckpt";
  Fabric fabric;
  ToyModule net;
  auto optimizer = fabric.setup(net, sgd_of(net));
  fabric.save(path, {{"optimizer", optimizer}});
  StateDict saved = load_checkpoint_file(path);
  saved.at("optimizer").to_dict()["state"] = StateValue();
  save_checkpoint_file(path, saved, Durability::fast);
  try {
    fabric.load(path, {{"optimizer", optimizer}});
    FAIL("it was loaded");
  } catch (const CheckpointError& error) {
    CHECK(error.path == path);
    CHECK_THAT(error.what(),
               Catch::Contains("'optimizer.state': expected") && Catch::Contains("found null"));
  }
}

TEST_CASE("Fabric keeps the state of an absent callback if its entry asks for that") {
  TempDir directory;
  struct Keeper : Callback {
    std::string state_key() const override { return "keeper"; }
    StateDict state_dict() const override { return {{"keep_if_absent", true}, {"value", value}}; }
    void load_state_dict(const StateDict& state) override { value = state.at("value").to_int(); }
    int64_t value = 0;
  };
  auto keeper = std::make_shared<Keeper>();
  keeper->value = 3;
  Fabric({.callbacks = {keeper}}).save(directory / "first.ckpt", {});
  {
    Fabric without;
    without.load(directory / "first.ckpt");
    without.save(directory / "second.ckpt", {{"epoch", 1}});
  }
  auto again = std::make_shared<Keeper>();
  Fabric fabric({.callbacks = {again}});
  CHECK(fabric.load(directory / "second.ckpt").at("epoch").to_int() == 1);
  CHECK(again->value == 3);
}

TEST_CASE("an event handler replaces a standard hook of the same name") {
  struct Both : Callback, EventHandlers {
    Both() {
      on("on_train_batch_end", [this](double loss) { handled += loss; }, {"loss"});
    }
    void on_train_batch_end(TrainBatchEnd&) override { ++hooked; }
    double handled = 0;
    int hooked = 0;
  };
  auto both = std::make_shared<Both>();
  Fabric fabric({.callbacks = {both}});
  fabric.call("on_train_batch_end", arg("loss", 2));
  CHECK(both->handled == 2);
  CHECK(both->hooked == 0);
}

TEST_CASE("each loop over a Fabric data loader is the next epoch, in that epoch's order") {
  struct Epochs : ToyLoader {
    using ToyLoader::ToyLoader;
    void start(int64_t epoch) override {
      epochs.push_back(epoch);
      ToyLoader::start(epoch);
    }
    std::vector<int64_t> epochs;
  };
  auto loader = std::make_shared<Epochs>(2);
  Fabric fabric;
  auto batches = fabric.setup_dataloader(loader);
  int count = 0;
  for (int i = 0; i < 2; ++i) {
    for (Batch& batch : batches) count += static_cast<int>(batch.size() == 2);
  }
  batches.set_epoch(7);
  for (Batch& batch : batches) {
    count += static_cast<int>(batch.size() == 2);
    break;
  }
  CHECK(count == 5);
  CHECK(loader->epochs == std::vector<int64_t>{0, 1, 7});
}

TEST_CASE("Fabric::load refuses items missing from the file, and names reserved by Fabric") {
  TempDir directory;
  const auto path = directory / "loop.ckpt";
  Fabric fabric;
  ToyModule net;
  fabric.save(path, {{"net", net}, {"epoch", 1}});
  CHECK_THROWS_WITH(fabric.load(path, {{"model", net}}),
                    Catch::Matchers::EndsWith("it has no 'model'; it has 'net' and 'epoch'"));
  CHECK(fabric.load(path, {{"model", net}}, /*strict=*/false).size() == 2);
  CHECK_THROWS_AS(fabric.save(path, {{"callbacks", 1}}), ConfigError);
  CHECK_THROWS_AS(fabric.save(path, {{"a", 1}, {"a", 2}}), ConfigError);
}

TEST_CASE("Fabric's seed and seed_everything give the same random numbers") {
  Fabric first({.seed = 7});
  const at::Tensor a = at::rand({4});
  CHECK(Fabric::seed_everything(7) == 7);
  CHECK(at::equal(a, at::rand({4})));
}

TEST_CASE("a Fabric may outlive the module that it set up") {
  auto standard = std::make_shared<Standard>();
  Fabric fabric({.callbacks = {standard}});
  {
    ToyModule net;
    const auto optimizer = fabric.setup(net, sgd_of(net));
  }
  CHECK_FALSE(fabric.trainer().has_module());
}

TEST_CASE("Fabric refuses a null callback, and one given as a pointer to its base") {
  CHECK_THROWS_AS(Fabric({.callbacks = {std::shared_ptr<Standard>()}}), ConfigError);
  CHECK_THROWS_AS(Fabric({.callbacks = {std::shared_ptr<EventHandlers>()}}), ConfigError);
  const std::shared_ptr<Callback> base = std::make_shared<Standard>();
  CHECK_THROWS_AS(Fabric({.callbacks = {base}}), ConfigError);
  CHECK_THROWS_WITH(
      Fabric({.callbacks = {std::make_shared<Standard>(), std::make_shared<Standard>()}}),
      Catch::Matchers::Contains("state_key"));
}

}  // namespace fabric_test
