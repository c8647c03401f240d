// Extension request: what a plugin asks for is decided by the trainer, with the plugin as author.
#include <grapnel/ext/request.h>

#include <filesystem>
#include <set>

#include "catch.h"
#include "grapnel/base/error.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace request_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

std::int32_t request(const Caller& caller, std::int32_t kind) {
  return caller.table<grapnel_request>(GRAPNEL_EXT_REQUEST)
      .request(caller.host, kind, text(std::string_view("because")));
}

}  // namespace

TEST_CASE("a plugin's stop request ends the run after the batch, with reason and author") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw);
    return event->batch_idx == 1 ? request(caller, GRAPNEL_REQUEST_STOP) : GRAPNEL_OK;
  });
  std::string outcome;
  plugin.on(Hook::on_run_end, [&](const Caller&, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_RunEnd*>(raw);
    outcome = std::to_string(event->outcome) + " " + text(event->reason);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.options.max_epochs = 5;
  toy.fit({plugin.handle()});
  CHECK(toy.trainer->global_step() == 2);
  REQUIRE(toy.trainer->granted_requests().size() == 1);
  const Request& granted = toy.trainer->granted_requests()[0];
  CHECK(granted.kind == RequestKind::stop);
  CHECK(granted.author == "probe");
  CHECK(granted.reason == "because");
  CHECK(outcome == std::to_string(GRAPNEL_OUTCOME_STOPPED) + " because");
}

TEST_CASE("a skipped batch has no step, a skipped step leaves the weights") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_start, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchStart*>(raw);
    return event->batch_idx == 0 ? request(caller, GRAPNEL_REQUEST_SKIP_BATCH) : GRAPNEL_OK;
  });
  plugin.on(Hook::on_before_optimizer_step, [](const Caller& caller, const grapnel_Event*) {
    return request(caller, GRAPNEL_REQUEST_SKIP_STEP);
  });
  Toy toy;
  const at::Tensor before = toy.module.weight.detach().clone();
  int steps = 0;
  toy.module.during_step = [&](const std::string& stage, Batch&) { steps += stage == "train"; };
  toy.fit({plugin.handle()});
  CHECK(steps == 3);
  CHECK(toy.module.weight.equal(before));
}

TEST_CASE("requested validations and epoch ends come after the batch of the request") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw);
    if (event->batch_idx == 0) return request(caller, GRAPNEL_REQUEST_EVALUATE);
    if (event->batch_idx == 2) return request(caller, GRAPNEL_REQUEST_END_EPOCH);
    return GRAPNEL_OK;
  });
  Toy toy;
  std::string stages;
  toy.module.during_step = [&](const std::string& stage, Batch&) { stages += stage[0]; };
  toy.fit({plugin.handle()});
  CHECK(stages.substr(0, 5) == "tvvtt");
  CHECK(toy.trainer->global_step() == 3);
}

TEST_CASE("a checkpoint that a plugin asks for is written") {
  TempDir directory;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw);
    return event->batch_idx == 1 ? request(caller, GRAPNEL_REQUEST_SAVE) : GRAPNEL_OK;
  });
  std::string written;
  plugin.on(Hook::on_checkpoint_written, [&](const Caller&, const grapnel_Event* raw) {
    written = text(reinterpret_cast<const grapnel_CheckpointWritten*>(raw)->path);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.options.default_root_dir = directory.path();
  toy.fit({plugin.handle()});
  REQUIRE(!written.empty());
  CHECK(std::filesystem::exists(written));
}

TEST_CASE("a request where it has no meaning is answered with NOT_NOW") {
  InProcessPlugin plugin;
  plugin.init = [](const Caller& caller) {
    CHECK(request(caller, GRAPNEL_REQUEST_STOP) == GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  };
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event*) {
    CHECK(request(caller, GRAPNEL_REQUEST_SKIP_BATCH) == GRAPNEL_NOT_NOW);
    CHECK(request(caller, GRAPNEL_REQUEST_SKIP_STEP) == GRAPNEL_NOT_NOW);
    CHECK(request(caller, 0) == GRAPNEL_UNSUPPORTED);
    CHECK(request(caller, 7) == GRAPNEL_UNSUPPORTED);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_validation_end, [](const Caller& caller, const grapnel_Event*) {
    CHECK(request(caller, GRAPNEL_REQUEST_EVALUATE) == GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_run_end, [](const Caller& caller, const grapnel_Event*) {
    CHECK(request(caller, GRAPNEL_REQUEST_STOP) == GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(toy.trainer->granted_requests().empty());
}

TEST_CASE("a checkpoint that a plugin asks for at the end of an epoch is written after it") {
  TempDir directory;
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_epoch_end, [](const Caller& caller, const grapnel_Event*) {
    CHECK(request(caller, GRAPNEL_REQUEST_SAVE) == GRAPNEL_OK);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.options.max_epochs = 1;
  toy.options.default_root_dir = directory.path();
  toy.fit({plugin.handle()});
  const std::string name = "request-step=" + std::to_string(toy.trainer->global_step()) + ".ckpt";
  CHECK(std::filesystem::exists(directory.path() / "checkpoints" / name));
  REQUIRE(toy.trainer->granted_requests().size() == 1);
  CHECK(toy.trainer->granted_requests()[0].author == "probe");
}

TEST_CASE("a plugin may ask for what a C++ callback may, in every hook") {
  // Asks in every hook, and notes where it was possible.
  class Asking : public Callback {
   public:
    explicit Asking(RequestKind kind) : kind_(kind) {}
    std::set<std::string> possible;
#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  void name(EventType& event) override {                 \
    ask(event.trainer, #name);                           \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

   private:
    void ask(Trainer& trainer, const std::string& hook) {
      try {
        trainer.request(kind_, "because");
        possible.insert(hook);
      } catch (const ConfigError&) {
      }
    }
    RequestKind kind_;
  };
  for (const std::int32_t kind :
       {GRAPNEL_REQUEST_STOP, GRAPNEL_REQUEST_SKIP_BATCH, GRAPNEL_REQUEST_SKIP_STEP,
        GRAPNEL_REQUEST_END_EPOCH, GRAPNEL_REQUEST_EVALUATE, GRAPNEL_REQUEST_SAVE}) {
    INFO(kind);
    TempDir directory;
    const auto callback = std::make_shared<Asking>(static_cast<RequestKind>(kind));
    InProcessPlugin plugin;
    std::set<std::string> possible;
    for (size_t hook = 0; hook < kHookCount; ++hook) {
      plugin.on(static_cast<Hook>(hook), [&, hook](const Caller& caller, const grapnel_Event*) {
        const std::int32_t answer = request(caller, kind);
        if (answer == GRAPNEL_OK) {
          possible.insert(std::string(kHookNames[hook]));
        } else {
          CHECK(answer == GRAPNEL_NOT_NOW);
        }
        return GRAPNEL_OK;
      });
    }
    Toy toy;
    toy.options.max_epochs = 2;
    toy.options.default_root_dir = directory.path();
    toy.fit({callback, plugin.handle()});
    CHECK_FALSE(possible.empty());
    CHECK(possible == callback->possible);
  }
}

TEST_CASE("outside fit a stop request has no effect, and others are answered with NOT_NOW") {
  CapturedLog log;
  InProcessPlugin elsewhere;
  int asked = 0;
  elsewhere.on(Hook::on_validation_batch_end, [&](const Caller& caller, const grapnel_Event*) {
    CHECK(request(caller, GRAPNEL_REQUEST_SAVE) == GRAPNEL_NOT_NOW);
    CHECK(request(caller, GRAPNEL_REQUEST_EVALUATE) == GRAPNEL_NOT_NOW);
    ++asked;
    return request(caller, GRAPNEL_REQUEST_STOP);
  });
  Toy toy;
  toy.validate({elsewhere.handle()});
  CHECK(asked == 2);
  CHECK(toy.trainer->granted_requests().empty());
  CHECK(log.count(
            "warning: [probe] request: 'save' is for a fit, this run is of the kind 'validate'") ==
        1);
}

}  // namespace request_test
