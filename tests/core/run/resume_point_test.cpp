// A resumed run begins where the checkpoint was written, whatever hook that was: no call is made twice
// or left out.
#include "../support/traced_run.h"
#include "catch.h"
#include "temp_dir.h"

namespace resume_point_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("a callback behind the one that fails has the call after the resume") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  const TracedSetup setup{.batches = 3};
  TracedRun whole;
  CHECK(whole.fit(setup, nullptr) == "");
  for (const std::string hook : {"on_train_epoch_start", "on_after_optimizer_step",
                                 "on_train_batch_end", "on_validation_end", "on_train_epoch_end"}) {
    INFO(hook);
    const auto failing = actor_at(hook, 2, [&](Trainer&) { throw std::runtime_error("failed"); });
    const auto script = failing->script;
    failing->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_exception") trainer.save_checkpoint(file);
      script(now, trainer);
    };
    TracedRun stopped;
    CHECK(stopped.fit(setup, failing) == "failed");
    TracedRun resumed;
    CHECK(resumed.fit(setup, actor_at("", 0, {}), file) == "");
    check_same(resumed, whole);
  }
}

TEST_CASE("a filter holds where the end of an epoch comes after the resume") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  const std::vector<CallFilter> filters = {
      {.after = CallSpan::epochs(1)}, {.every = CallSpan::epochs(2)}, {.once = true}};
  for (const CallFilter& filter : filters) {
    for (const int nth : {1, 2}) {
      INFO(to_string(filter) << ", failed at the end of epoch " << nth);
      const auto calls = [&](bool fails, const std::filesystem::path& from) {
        auto actor = actor_at("on_train_epoch_end", fails ? nth : 0,
                              [](Trainer&) { throw std::runtime_error("failed"); });
        actor->script = [&, script = actor->script](const std::string& now, Trainer& trainer) {
          if (now == "on_exception") trainer.save_checkpoint(file);
          script(now, trainer);
        };
        auto counter = std::make_shared<test::Counter>("counter");
        TracedModule module;
        Trainer trainer(quiet(4), {CallbackHandle(actor), CallbackHandle(counter).only(filter)});
        try {
          trainer.fit(module, toy_data(2, 0), {.ckpt_path = from.string()});
        } catch (const std::runtime_error&) {
        }
        return counter->calls;
      };
      const auto whole = calls(false, {});
      calls(true, {});
      CHECK(calls(false, file) == whole);
    }
  }
}

TEST_CASE("callbacks behind the one that saves have the call after the resume") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  const TracedSetup setup{.batches = 3};
  TracedRun whole;
  CHECK(whole.fit(setup, nullptr) == "");
  for (const std::string hook :
       {"on_train_epoch_start", "on_train_batch_end", "on_validation_end", "on_train_epoch_end"}) {
    INFO(hook);
    TracedRun stopped;
    stopped.fit(setup, actor_at(hook, 2, [&](Trainer& trainer) {
                  trainer.save_checkpoint(file);
                  throw std::runtime_error("killed");
                }));
    TracedRun resumed;
    CHECK(resumed.fit(setup, actor_at("", 0, {}), file) == "");
    check_same(resumed, whole);
  }
}

TEST_CASE("the module's on_train_batch_end comes after a checkpoint that a callback wrote in it") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  const TracedSetup setup{.options = quiet(1), .batches = 4};
  TracedRun whole;
  whole.fit(setup, nullptr);
  TracedRun stopped;
  stopped.fit(setup, actor_at("on_train_batch_end", 2, [&](Trainer& trainer) {
                trainer.save_checkpoint(file);
                throw std::runtime_error("killed");
              }));
  TracedRun resumed;
  CHECK(resumed.fit(setup, nullptr, file) == "");
  CHECK(resumed.module.batch_ends == std::vector<int64_t>{1, 2, 3});
  CHECK(resumed.module.seen_samples == std::vector<int64_t>{2, 4, 6});
  CHECK(resumed.module.seen_losses ==
        std::vector<double>(whole.module.seen_losses.begin() + 1, whole.module.seen_losses.end()));
}

TEST_CASE("an optimizer step after which a callback failed is not made again") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  const TracedSetup setup{.options = quiet(1), .batches = 4};
  TracedRun stopped;
  auto failing =
      actor_at("on_after_optimizer_step", 2, [](Trainer&) { throw std::runtime_error("x"); });
  failing->script = [&, script = failing->script](const std::string& now, Trainer& trainer) {
    if (now == "on_exception") trainer.save_checkpoint(file);
    script(now, trainer);
  };
  stopped.fit(setup, failing);
  TracedRun resumed;
  CHECK(resumed.fit(setup, nullptr, file) == "");
  CHECK(resumed.module.steps == std::vector<std::string>{"e0b2", "e0b3"});
  CHECK(resumed.module.batch_ends == std::vector<int64_t>{1, 2, 3});
  CHECK(resumed.global_step == 4);
}

TEST_CASE("requests that are not granted yet are part of the checkpoint") {
  const TempDir directory;
  const auto file = directory / "asked.ckpt";
  const TracedSetup setup{.options = quiet(2), .batches = 6};
  TracedRun stopped;
  stopped.fit(setup, actor_at("on_train_batch_end", 2, [&](Trainer& trainer) {
                trainer.request(RequestKind::end_epoch, "bored");
                trainer.save_checkpoint(file);
                throw std::runtime_error("killed");
              }));
  TracedRun resumed;
  CHECK(resumed.fit(setup, actor_at("", 0, {}), file) == "");
  REQUIRE(!resumed.module.steps.empty());
  CHECK(resumed.module.steps[0] == "e1b0");
}

}  // namespace resume_point_test
