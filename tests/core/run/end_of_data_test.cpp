// An epoch ends where its data do, whatever their loader had said.
#include "../support/recorder.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/data/function_loader.h"
#include "grapnel/loggers/memory_logger.h"
#include "grapnel/lr_schedulers.h"
#include "row_logger.h"
#include "toy.h"

namespace end_of_data_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// Says `size` batches, gives `given`; without a size it doesn't say.
class LooseLoader final : public DataLoader {
 public:
  LooseLoader(std::optional<int64_t> size, int64_t given) : size_(size), toys_(given) {}
  std::optional<int64_t> size() const override { return size_; }
  void start(int64_t epoch) override {
    toys_.start(0);
    exhausted = exhausted || (once && epoch > 0);
  }
  std::optional<Batch> next() override { return exhausted ? std::optional<Batch>() : toys_.next(); }
  void skip(int64_t batches) override { toys_.skip(batches); }

  bool once = false;  // after its first epoch it has nothing left
  bool exhausted = false;

 private:
  std::optional<int64_t> size_;
  ToyLoader toys_;
};

class ScheduledModule : public ToyModule {
 public:
  OptimizerConfig configure_optimizers() override {
    optimizer =
        std::make_shared<SGD>(std::vector<at::Tensor>{weight, bias}, SGDOptions{.lr = 1e-3});
    OptimizerConfig config(optimizer);
    config.schedulers.push_back({.scheduler = std::make_shared<ExponentialLR>(optimizer, 0.5)});
    return config;
  }
  std::shared_ptr<SGD> optimizer;
};

struct Result {
  std::vector<int64_t> validated_at;  // steps
  int64_t steps = 0;
  int64_t epochs = 0;
  double lr = 0;
  std::string log;
};

Result train(const std::shared_ptr<DataLoader>& loader, TrainerOptions options) {
  Result result;
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_validation_start") result.validated_at.push_back(trainer.global_step());
  };
  const CapturedLog log;
  ScheduledModule module;
  Trainer trainer(std::move(options), {recorder});
  trainer.fit(module, Data(loader, DataLoaders{std::make_shared<ToyLoader>(2)}));
  result.steps = trainer.global_step();
  result.epochs = trainer.current_epoch();
  result.lr = module.optimizer->groups()[0].options.at("lr") * 1e3;
  result.log = log.text();
  return result;
}

}  // namespace

TEST_CASE("an epoch whose data end early has its validation, schedulers and last window") {
  TrainerOptions options = quiet(2);
  options.accumulate_grad_batches = 3;
  const Result result = train(std::make_shared<LooseLoader>(5, 4), options);
  CHECK(result.steps == 4);
  CHECK(result.validated_at == std::vector<int64_t>{2, 4});
  CHECK(result.epochs == 2);
  CHECK(result.lr == 0.25);
  CHECK_THAT(result.log, Contains("ended after 4 batches, fewer than the 5"));
}

TEST_CASE("a limit above what a stream gives ends the epoch with the data") {
  TrainerOptions options = quiet(2);
  options.limit_train_batches = 20;
  const Result result = train(std::make_shared<LooseLoader>(std::nullopt, 5), options);
  CHECK(result.steps == 10);
  CHECK(result.validated_at == std::vector<int64_t>{5, 10});
  CHECK(result.lr == 0.25);
  CHECK_THAT(result.log, Contains("limit_train_batches"));
}

TEST_CASE("a validation that was still to come when the data end comes then") {
  TrainerOptions options = quiet(1);
  options.val_check_interval = 0.5;
  CHECK(train(std::make_shared<LooseLoader>(10, 9), options).validated_at ==
        std::vector<int64_t>{5, 9});
  options.val_check_interval = 4;  // after 4 and 8 of 10: there is none to come
  CHECK(train(std::make_shared<LooseLoader>(10, 9), options).validated_at ==
        std::vector<int64_t>{4, 8});
  options.val_check_interval = 10;
  CHECK(train(std::make_shared<LooseLoader>(10, 3), options).validated_at ==
        std::vector<int64_t>{3});
}

TEST_CASE("a monitor at the epoch's end has its metric when the data end early") {
  TrainerOptions options = quiet(2);
  ToyModule module;
  Trainer trainer(options, {std::make_shared<EarlyStopping>("val_loss")});
  trainer.fit(module, Data(std::make_shared<LooseLoader>(5, 4),
                           DataLoaders{std::make_shared<LooseLoader>(3, 2)}));
  CHECK(trainer.global_step() == 8);
  CHECK(trainer.current_epoch() == 2);
}

TEST_CASE("a checkpoint after data that end early has the rows that were logged since") {
  TrainerOptions options = quiet(2);
  options.log_every_n_steps = 1;
  auto logger = std::make_shared<MemoryLogger>();
  options.loggers = {logger};
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  int looked = 0;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook != "on_train_epoch_end") return;
    trainer.log_metrics({{"ended", 1}});
    const StateDict checkpoint = trainer.dump_checkpoint();
    const StateList& states = checkpoint.at("exact_resume").to_dict().at("loggers").to_list();
    CHECK(states.at(0).to_dict().at("rows").to_int() ==
          static_cast<int64_t>(logger->rows().size()));
    ++looked;
  };
  ToyModule module;
  Trainer trainer(options, {recorder});
  trainer.fit(module, Data(std::make_shared<LooseLoader>(5, 4)));
  CHECK(looked == 2);
}

TEST_CASE("evaluations and predictions warn of data that end early, and use what came") {
  const CapturedLog log;
  ToyModule module;
  Trainer trainer(quiet(1));
  const auto results = trainer.validate(module, std::make_shared<LooseLoader>(5, 2));
  CHECK(results.at(0).contains("val_loss"));
  CHECK_THAT(log.text(), Contains("the val data ended after 2 batches"));
}

TEST_CASE("a fit ends after an epoch in which no batch came") {
  auto loader = std::make_shared<LooseLoader>(std::nullopt, 3);
  loader->once = true;
  TrainerOptions options = quiet(-1);
  options.max_epochs = -1;
  const Result result = train(loader, options);
  CHECK(result.steps == 3);
  CHECK(result.validated_at == std::vector<int64_t>{3});
  CHECK_THAT(result.log, Contains("no batch in epoch 1"));
}

}  // namespace end_of_data_test
