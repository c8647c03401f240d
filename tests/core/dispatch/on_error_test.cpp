// A callback under OnError::disable never ends a run; it leaves it, and keeps its last good state.
#include <c10/util/Exception.h>

#include <algorithm>

#include "../support/recorder.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/dispatcher.h"
#include "temp_dir.h"
#include "toy.h"

namespace on_error_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Counts batches, and throws in the third.
class Fragile : public Callback {
 public:
  void on_train_batch_end(TrainBatchEnd&) override {
    if (++batches == 3) throw std::runtime_error("broken");
  }
  void on_train_end(Event&) override { ended = true; }
  StateDict state_dict() const override {
    if (fails_to_save) throw std::runtime_error("can't save");
    return {{"batches", batches}};
  }
  void load_state_dict(const StateDict& state) override {
    if (fails_to_load) throw std::runtime_error("can't load");
    batches = state.at("batches").to_int();
  }

  int64_t batches = 0;
  bool ended = false;
  bool fails_to_save = false;
  bool fails_to_load = false;
};

CallbackHandle disabling(std::shared_ptr<Fragile> callback) {
  CallbackHandle handle(std::move(callback));
  handle.on_error = OnError::disable;
  return handle;
}

int64_t saved_batches(Trainer& trainer) {
  const StateDict checkpoint = trainer.dump_checkpoint();
  return checkpoint.at("callbacks").to_dict().at("Fragile").to_dict().at("batches").to_int();
}

}  // namespace

namespace {

// Fails when a checkpoint was written.
class Listener : public Callback {
 public:
  void on_checkpoint_written(CheckpointWritten&) override { throw std::runtime_error("deaf"); }
  std::string type_name() const override { return "Listener"; }
};

// As ModelCheckpoint: what it does in a hook fires another one.
class Writer : public Callback {
 public:
  explicit Writer(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  void on_train_start(Event& event) override { write(event.trainer, event.module); }
  void on_exception(ExceptionEvent& event) override { write(event.trainer, event.module); }
  std::string type_name() const override { return "Writer"; }

 private:
  void write(Trainer& trainer, Module& module) {
    CheckpointWritten written{{trainer, module}, "a.ckpt"};
    dispatcher_.on_checkpoint_written(written);
  }
  Dispatcher& dispatcher_;
};

}  // namespace

TEST_CASE("a failure that passes through another callback's hook is told as that of its own") {
  TrainerOptions options;
  options.enable_checkpointing = false;
  Trainer trainer(options);
  ToyModule module;
  Dispatcher dispatcher;
  const auto writer = std::make_shared<Writer>(dispatcher);
  CallbackHandle disabling_writer(writer);
  disabling_writer.on_error = OnError::disable;
  const std::vector<CallbackHandle> handles = {disabling_writer, std::make_shared<Listener>()};
  dispatcher.assign(handles);
  Event start{trainer, module};
  CHECK_THROWS_WITH(dispatcher.on_train_start(start), "deaf");
  CHECK_FALSE(dispatcher.disabled(writer.get()));  // it has done nothing wrong

  const CapturedLog log;
  const std::runtime_error reason("reason");
  ExceptionEvent exception{
      {trainer, module}, std::make_exception_ptr(reason), "reason", "runtime_error"};
  dispatcher.on_exception(exception);
  CHECK(log.count("Listener failed in on_checkpoint_written, when a run ended: deaf") == 1);
  CHECK(log.count("Writer") == 0);
  CHECK_FALSE(dispatcher.disabled(writer.get()));
}

TEST_CASE(
    "with on_error=disable a throwing callback is disabled with one error, and the run continues") {
  const CapturedLog log;
  const auto fragile = std::make_shared<Fragile>();
  Trace trace;
  ToyModule module;
  Trainer trainer(quiet(2), {disabling(fragile), std::make_shared<Recorder>(trace, "after")});
  trainer.fit(module, toy_data(3));
  CHECK(trainer.state().status == Status::finished);
  CHECK(fragile->batches == 3);
  CHECK_FALSE(fragile->ended);
  // Callbacks after it in the list don't miss the hook in which it failed.
  CHECK(std::count(trace.begin(), trace.end(), "after.on_train_batch_end") == 6);
  const std::vector<std::string> errors = log.texts(LogLevel::error);
  REQUIRE(errors.size() == 1);
  CHECK_THAT(errors[0], Catch::Contains("Fragile") && Catch::Contains("broken") &&
                            Catch::Contains("on_train_batch_end") && Catch::Contains("disabled"));
  CHECK(trainer.dispatcher().disabled(fragile.get()));
}

TEST_CASE("without on_error=disable an exception in a callback ends the run") {
  ToyModule module;
  Trainer trainer(quiet(2), {std::make_shared<Fragile>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(3)), "broken");
}

TEST_CASE("checkpoints keep a disabled callback's last good state") {
  const auto fragile = std::make_shared<Fragile>();
  Trace trace;
  const auto saver = std::make_shared<Recorder>(trace, "saver");
  int64_t at_second = 0;
  int seen = 0;
  saver->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_batch_end" && ++seen == 2) at_second = saved_batches(trainer);
  };
  ToyModule module;
  Trainer trainer(quiet(1), {saver, disabling(fragile)});
  trainer.fit(module, toy_data(3));
  CHECK(at_second == 1);
  CHECK(saved_batches(trainer) == 1);
}

TEST_CASE("with on_error=disable a state that can't be saved or loaded disables its callback") {
  const TempDir directory;
  const auto file = directory.path() / "one.ckpt";
  ToyModule module;
  {
    const auto fragile = std::make_shared<Fragile>();
    Trainer trainer(quiet(1), {disabling(fragile)});
    trainer.fit(module, toy_data(2));
    trainer.save_checkpoint(file);
    fragile->fails_to_save = true;
    CHECK(saved_batches(trainer) == 2);
    CHECK(trainer.dispatcher().disabled(fragile.get()));
  }
  const auto fragile = std::make_shared<Fragile>();
  fragile->fails_to_load = true;
  Trainer trainer(quiet(2), {disabling(fragile)});
  trainer.fit(module, toy_data(2), {.ckpt_path = file.string()});
  CHECK(trainer.global_step() == 4);
  CHECK(saved_batches(trainer) == 2);
}

TEST_CASE("an interrupt by a signal disables no callback") {
  class Interrupts : public Callback {
   public:
    void on_train_batch_end(TrainBatchEnd&) override { throw Interrupted(15); }
  };
  CallbackHandle handle(std::make_shared<Interrupts>());
  handle.on_error = OnError::disable;
  ToyModule module;
  Trainer trainer(quiet(1), {handle});
  CHECK_THROWS_AS(trainer.fit(module, toy_data()), Interrupted);
}

TEST_CASE("an exception of LibTorch is told without its backtrace") {
  class Fails final : public Callback {
   public:
    void on_train_batch_end(TrainBatchEnd&) override { TORCH_CHECK(false, "broken in LibTorch"); }
  };
  class Reads final : public Callback {
   public:
    void on_exception(ExceptionEvent& event) override { message = event.message; }
    std::string message;
  };
  for (const OnError on_error : {OnError::disable, OnError::fail}) {
    CapturedLog log;
    const auto fails = std::make_shared<Fails>();
    const auto reads = std::make_shared<Reads>();
    CallbackHandle handle(fails);
    handle.on_error = on_error;
    ToyModule module;
    Trainer trainer(quiet(1), {handle, reads});
    if (on_error == OnError::fail) {
      CHECK_THROWS(trainer.fit(module, toy_data(2, 0)));
      CHECK(reads->message == "broken in LibTorch");
    } else {
      trainer.fit(module, toy_data(2, 0));
    }
    CHECK(log.count("broken in LibTorch") == (on_error == OnError::disable ? 1 : 0));
    CHECK(log.count("Exception raised from") == 0);
    CHECK(log.count("frame #") == 0);
  }
}

}  // namespace on_error_test
