// Who gets which hook, and in which order.
#include "grapnel/dispatcher.h"
#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/hook_number.h"
#include "toy.h"

namespace dispatcher_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

class OnlyStart : public Callback {
 public:
  void on_train_start(Event&) override {}
};

class Derived : public OnlyStart {
 public:
  void on_train_end(Event&) override {}
};

class PrivateOverride : public Callback {
 private:
  void on_fit_end(Event&) override {}
};

class Narrowed : public Recorder {
 public:
  using Recorder::Recorder;
  HookMask wanted(const HookMask&) const override {
    HookMask mask;
    mask.set(Hook::on_train_end);
    return mask;
  }
};

class Tuner : public Recorder {
 public:
  using Recorder::Recorder;
  Place place() const override { return Place::tuner; }
};

class Saver : public Checkpoint {
 public:
  Saver(Trace& trace, std::string who) : trace_(trace), who_(std::move(who)) {}
  void on_train_start(Event&) override { trace_.push_back(who_ + ".on_train_start"); }
  void on_train_epoch_end(Event&) override { trace_.push_back(who_ + ".on_train_epoch_end"); }

 private:
  Trace& trace_;
  std::string who_;
};

// Notes the number of the hooks that it is called in; within the first it fires another one.
class NumberNoter final : public Callback {
 public:
  explicit NumberNoter(Dispatcher* inner = nullptr) : inner_(inner) {}
  void on_train_start(Event& event) override {
    numbers.push_back(hook_number());
    if (inner_ != nullptr) inner_->on_train_end(event);
    numbers.push_back(hook_number());
  }
  void on_train_end(Event&) override { numbers.push_back(hook_number()); }

  std::vector<uint64_t> numbers;

 private:
  Dispatcher* inner_;
};

Trace only(const Trace& trace, const std::string& hook) {
  Trace some;
  for (const std::string& entry : trace) {
    if (entry.substr(entry.find('.') + 1) == hook) some.push_back(entry);
  }
  return some;
}

}  // namespace

TEST_CASE("callbacks of one hook share its number, other hooks have others") {
  Dispatcher dispatcher;
  const auto first = std::make_shared<NumberNoter>(&dispatcher);
  const auto second = std::make_shared<NumberNoter>();
  dispatcher.assign({first, second});
  ToyModule module;
  Trainer trainer(quiet(1));
  Event event{trainer, module};
  CHECK(hook_number() == 0);
  dispatcher.on_train_start(event);
  CHECK(hook_number() == 0);
  REQUIRE(first->numbers.size() == 3);
  REQUIRE(second->numbers.size() == 3);
  const uint64_t outer = first->numbers[0];
  const uint64_t inner = first->numbers[1];
  CHECK(outer != 0);
  CHECK(inner != outer);
  CHECK(first->numbers == std::vector<uint64_t>{outer, inner, outer});
  CHECK(second->numbers == std::vector<uint64_t>{inner, outer, outer});
  dispatcher.on_train_start(event);
  CHECK(first->numbers[3] > inner);
}

TEST_CASE("a callback class's hook mask has the hooks that it or an intermediate base overrides") {
  CHECK(overridden_hooks<OnlyStart>().test(Hook::on_train_start));
  CHECK_FALSE(overridden_hooks<OnlyStart>().test(Hook::on_train_end));
  CHECK(overridden_hooks<Derived>().test(Hook::on_train_start));
  CHECK(overridden_hooks<Derived>().test(Hook::on_train_end));
  CHECK(overridden_hooks<PrivateOverride>().test(Hook::on_fit_end));
  CHECK(overridden_hooks<Callback>() == HookMask{});
}

TEST_CASE("the dispatcher's array of a hook has only callbacks that override it") {
  Trace trace;
  Dispatcher dispatcher;
  dispatcher.assign({std::make_shared<OnlyStart>(), std::make_shared<Narrowed>(trace)});
  CHECK(dispatcher.receivers(Hook::on_train_start).size() == 1);
  CHECK(dispatcher.receivers(Hook::on_train_end).size() == 1);
  CHECK(dispatcher.receivers(Hook::on_fit_start).empty());
}

TEST_CASE("a callback given as a pointer to its base class is refused") {
  std::shared_ptr<OnlyStart> hidden = std::make_shared<Derived>();
  CHECK_THROWS_WITH(CallbackHandle(hidden), Catch::Contains("Derived"));
  CHECK_THROWS_AS(CallbackHandle(std::shared_ptr<OnlyStart>()), ConfigError);
}

TEST_CASE("callbacks are ordered: tuners, the user's, the trainer's, plugins, checkpoints") {
  Trace trace;
  ToyModule module;
  TrainerOptions options = quiet(1);
  options.enable_checkpointing = true;
  Trainer trainer(
      options,
      {std::make_shared<Saver>(trace, "saver"),
       CallbackHandle(std::make_shared<Recorder>(trace, "plugin"), CallbackOrigin::plugin),
       std::make_shared<Recorder>(trace, "first"),
       CallbackHandle(std::make_shared<Recorder>(trace, "default"),
                      CallbackOrigin::trainer_default),
       std::make_shared<Tuner>(trace, "tuner"), std::make_shared<Recorder>(trace, "second")});
  trainer.fit(module, toy_data());
  CHECK((only(trace, "on_train_start") == Trace{"tuner.on_train_start", "first.on_train_start",
                                                "second.on_train_start", "default.on_train_start",
                                                "plugin.on_train_start", "saver.on_train_start"}));
}

TEST_CASE("callbacks that monitor metrics get on_train_epoch_end after the module") {
  Trace trace;
  class Traced : public ToyModule {
   public:
    explicit Traced(Trace& t) : trace(t) {}
    void on_train_epoch_end(Event&) override { trace.push_back("module.on_train_epoch_end"); }
    Trace& trace;
  };
  Traced module(trace);
  TrainerOptions options = quiet(1);
  options.enable_checkpointing = true;
  Trainer trainer(
      options, {std::make_shared<Saver>(trace, "saver"), std::make_shared<Recorder>(trace, "cb")});
  trainer.fit(module, toy_data());
  CHECK((only(trace, "on_train_epoch_end") ==
         Trace{"cb.on_train_epoch_end", "module.on_train_epoch_end", "saver.on_train_epoch_end"}));
  CHECK((only(trace, "on_train_start") == Trace{"cb.on_train_start", "saver.on_train_start"}));
}

TEST_CASE("two stateful callbacks with one state key are refused, saying what to do") {
  class Stateful : public Callback {
   public:
    StateDict state_dict() const override { return {{"a", 1}}; }
  };
  CHECK_THROWS_WITH(Trainer(quiet(1), {std::make_shared<Stateful>(), std::make_shared<Stateful>()}),
                    Catch::Contains("Stateful") && Catch::Contains("set_name") &&
                        Catch::Contains("\"label\" in run.json"));
  auto named = std::make_shared<Stateful>();
  named->set_name("another");
  CHECK_NOTHROW(Trainer(quiet(1), {std::make_shared<Stateful>(), named}));
}

}  // namespace dispatcher_test
