// Filters, on_error and the profile's counts work under Fabric as in a Trainer.
#include <algorithm>
#include <map>

#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/lambda_callback.h"
#include "grapnel/dispatcher.h"
#include "grapnel/fabric.h"
#include "temp_dir.h"
#include "toy.h"

namespace fabric_policy_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Matchers::Contains;

namespace {

// Counts its calls by name, as a callback and as a handler of on_x.
class Counting : public Callback, public EventHandlers {
 public:
  Counting() {
    on("on_x", [this] { called("on_x"); });
    on("on_y", [this] { called("on_y"); });
    on("on_after_setup", [this] { called("on_after_setup"); });
  }
  void setup(StageEvent&) override { called("setup"); }
  void on_train_epoch_start(Event&) override { called("on_train_epoch_start"); }
  void on_train_batch_start(TrainBatchStart&) override { called("on_train_batch_start"); }
  void on_train_batch_end(TrainBatchEnd& event) override {
    called("on_train_batch_end");
    batches.push_back(event.batch_idx);
  }
  void on_after_optimizer_step(OptimizerEvent&) override { called("on_after_optimizer_step"); }
  void on_validation_end(Event&) override { called("on_validation_end"); }
  void on_run_end(RunEnd&) override { called("on_run_end"); }
  StateDict state_dict() const override { return {{"batches", calls("on_train_batch_end")}}; }

  void called(const std::string& name) {
    ++calls_[name];
    if (name == fails_in) throw std::runtime_error("broken");
  }
  int64_t calls(const std::string& name) const {
    const auto found = calls_.find(name);
    return found == calls_.end() ? 0 : found->second;
  }

  std::string fails_in;
  std::vector<int64_t> batches;

 private:
  std::map<std::string, int64_t> calls_;
};

CallbackHandle disabling(std::shared_ptr<Counting> callback) {
  CallbackHandle handle(std::move(callback));
  handle.on_error = OnError::disable;
  return handle;
}

// A Fabric with one callback, called only where the filter says.
struct Filtered {
  explicit Filtered(const CallFilter& filter)
      : fabric({.callbacks = {CallbackHandle(callback).only(filter)}}) {}
  void batch() {
    fabric.call("on_train_batch_start");
    fabric.call("on_train_batch_end");
  }
  int64_t calls(const std::string& name) const { return callback->calls(name); }

  std::shared_ptr<Counting> callback = std::make_shared<Counting>();
  Fabric fabric;
};

uint64_t counted(const Profile& profile, const std::string& who, const std::string& action) {
  for (const ProfileRow& row : profile.rows) {
    if (row.who == who && row.action == action) return row.calls;
  }
  return 0;
}

}  // namespace

TEST_CASE("under Fabric a filter's steps are the loop's training batches") {
  Filtered loop({.every = CallSpan::steps(3)});
  for (int i = 0; i < 7; ++i) loop.batch();
  CHECK(loop.calls("on_train_batch_start") == 2);
  CHECK(loop.callback->batches == std::vector<int64_t>{2, 5});
  loop.fabric.call("on_validation_end");
  CHECK(loop.calls("on_validation_end") == 1);

  Filtered late({.after = CallSpan::steps(2)});
  for (int i = 0; i < 5; ++i) late.batch();
  CHECK(late.callback->batches == std::vector<int64_t>{2, 3, 4});
}

TEST_CASE("a filter under Fabric counts a batch even if only its end hook is called") {
  Filtered loop({.every = CallSpan::steps(2)});
  ToyModule net;
  auto optimizer = loop.fabric.setup(
      net,
      std::make_shared<SGD>(std::vector<at::Tensor>{net.weight, net.bias}, SGDOptions{.lr = 0.1}));
  CHECK(loop.calls("on_after_setup") == 1);
  for (int i = 0; i < 5; ++i) {
    optimizer.step();
    CHECK(loop.calls("on_after_optimizer_step") == (i + 1) / 2);
    loop.fabric.call("on_train_batch_end");
    CHECK(loop.calls("on_train_batch_end") == (i + 1) / 2);
  }
}

TEST_CASE("under Fabric a filter's epochs begin with on_train_epoch_start, which may number them") {
  Filtered loop({.every = CallSpan::epochs(2)});
  loop.fabric.call("setup");
  CHECK(loop.calls("setup") == 1);
  for (int epoch = 0; epoch < 4; ++epoch) {
    loop.fabric.call("on_train_epoch_start");
    loop.batch();
    loop.fabric.call("on_x");
  }
  CHECK(loop.calls("on_train_epoch_start") == 2);
  CHECK(loop.calls("on_train_batch_end") == 2);
  CHECK(loop.calls("on_x") == 2);
  CHECK(loop.fabric.trainer().current_epoch() == 3);

  Filtered resumed({.after = CallSpan::epochs(5)});
  for (int epoch = 4; epoch < 7; ++epoch) {
    resumed.fabric.call("on_train_epoch_start", arg("epoch", epoch));
    resumed.batch();
    resumed.fabric.call("on_train_epoch_end");
  }
  CHECK(resumed.calls("on_train_batch_end") == 2);
  CHECK(resumed.fabric.trainer().current_epoch() == 7);
}

TEST_CASE("for user-defined events a filter's steps are the calls of each event") {
  Filtered loop({.every = CallSpan::steps(3)});
  for (int i = 0; i < 7; ++i) loop.fabric.call("on_x");
  loop.fabric.call("on_y");
  CHECK(loop.calls("on_x") == 2);
  CHECK(loop.calls("on_y") == 0);
}

TEST_CASE("the filter `once` under Fabric allows one call per hook and event") {
  Filtered loop({.once = true});
  for (int i = 0; i < 3; ++i) {
    loop.batch();
    loop.fabric.call("on_x");
  }
  CHECK(loop.calls("on_train_batch_start") == 1);
  CHECK(loop.calls("on_train_batch_end") == 1);
  CHECK(loop.calls("on_x") == 1);
  const StateDict once = loop.fabric.trainer().dispatcher().called_once();
  CHECK(once.at("Counting").to_list().size() == 3);
}

TEST_CASE("a filter that has no meaning under Fabric is refused, saying what is missing") {
  CHECK_THROWS_WITH(Filtered({.last = CallSpan::epochs(1)}),
                    Contains("Counting: the filter 'last'") && Contains("Fabric"));
  Filtered loop({.first = CallSpan::epochs(1)});
  CHECK_THROWS_WITH(loop.batch(), Contains("Counting") && Contains("on_train_epoch_start"));
  CHECK_THROWS_WITH(loop.fabric.call("on_x"), Contains("on_train_epoch_start"));
  loop.fabric.call("on_validation_end");  // may come before the training
  CHECK(loop.calls("on_validation_end") == 1);
}

TEST_CASE("under Fabric a throwing callback with on_error=disable is disabled with one error") {
  for (const std::string event : {"on_train_batch_end", "on_x"}) {
    const CapturedLog log;
    const auto fragile = std::make_shared<Counting>();
    fragile->fails_in = event;
    const auto after = std::make_shared<Counting>();
    after->set_name("after");
    Fabric fabric({.callbacks = {disabling(fragile), after}});
    for (int i = 0; i < 3; ++i) fabric.call(event);
    fabric.call("on_y");
    CHECK(fragile->calls(event) == 1);
    CHECK(fragile->calls("on_y") == 0);
    CHECK(after->calls(event) == 3);
    const std::vector<std::string> errors = log.texts(LogLevel::error);
    REQUIRE(errors.size() == 1);
    CHECK_THAT(errors[0], Contains("Counting") && Contains("broken") && Contains(event) &&
                              Contains("disabled"));
    CHECK(fabric.trainer().dispatcher().disabled(fragile.get()));
  }
}

TEST_CASE("under Fabric an object with only event handlers can be disabled and filtered") {
  const CapturedLog log;
  int called = 0;
  auto handlers = std::make_shared<EventHandlers>();
  handlers->on("on_x", [&] {
    ++called;
    throw std::runtime_error("broken");
  });
  FabricCallback callback(handlers);
  callback.callback.on_error = OnError::disable;
  callback.callback.filter = CallFilter{.after = CallSpan::steps(2)};
  Fabric fabric({.callbacks = {callback}});
  for (int i = 0; i < 5; ++i) fabric.call("on_x");
  CHECK(called == 1);
  const std::vector<std::string> errors = log.texts(LogLevel::error);
  REQUIRE(errors.size() == 1);
  CHECK_THAT(errors[0], Contains("EventHandlers failed in on_x"));
}

TEST_CASE("Fabric's checkpoints keep a disabled callback's last good state") {
  const CapturedLog log;
  const TempDir directory;
  const auto fragile = std::make_shared<Counting>();
  {
    Fabric fabric({.callbacks = {disabling(fragile)}});
    fabric.call("on_train_batch_end");
    fabric.save(directory / "one.ckpt", {});
    fragile->fails_in = "on_train_batch_end";
    fabric.call("on_train_batch_end");
    fabric.save(directory / "two.ckpt", {});
  }
  struct Reader : Counting {
    std::string state_key() const override { return "Counting"; }
    void load_state_dict(const StateDict& state) override { loaded = state.at("batches").to_int(); }
    int64_t loaded = -1;
  };
  const auto reader = std::make_shared<Reader>();
  Fabric({.callbacks = {reader}}).load(directory / "two.ckpt");
  CHECK(reader->loaded == 1);
}

TEST_CASE("wrong event arguments are the caller's error and disable no callback") {
  const auto object = std::make_shared<Counting>();
  object->on("on_z", [](double) {}, {"loss"});
  Fabric fabric({.callbacks = {disabling(object)}});
  CHECK_THROWS_AS(fabric.call("on_z", arg("loss", "much")), ArgumentError);
  CHECK_THROWS_AS(fabric.call("on_z"), ArgumentError);
  CHECK_THROWS_AS(fabric.call("on_train_batch_end", arg("batch", 3)), ArgumentError);
  CHECK_FALSE(fabric.trainer().dispatcher().disabled(object.get()));
  // The caller is a callback here.
  const CapturedLog log;
  object->on("on_x", [&] { fabric.call("on_z"); });
  CHECK_NOTHROW(fabric.call("on_x"));
  CHECK(fabric.trainer().dispatcher().disabled(object.get()));
}

TEST_CASE("under Fabric on_run_end reaches every callback, even if one throws") {
  const CapturedLog log;
  const auto bad = std::make_shared<Counting>();
  bad->fails_in = "on_run_end";
  const auto after = std::make_shared<Counting>();
  after->set_name("after");
  Fabric fabric({.callbacks = {bad, after}});
  CHECK_NOTHROW(fabric.call("on_run_end"));
  CHECK(after->calls("on_run_end") == 1);
  const std::vector<std::string> errors = log.texts(LogLevel::error);
  REQUIRE(errors.size() == 1);
  CHECK_THAT(errors[0], Contains("Counting failed in on_run_end"));
}

TEST_CASE("Fabric's profile counts every call of a hook, a handler and an event") {
  ManualClock clock;
  const auto one = std::make_shared<Counting>();
  const auto two = std::make_shared<Counting>();
  two->set_name("filtered");
  auto handlers = std::make_shared<EventHandlers>();
  handlers->on("on_x", [&] { clock.advance(1); });
  Fabric fabric(
      {.callbacks = {one, CallbackHandle(two).only({.every = CallSpan::steps(2)}), handlers},
       .clock = &clock});
  for (int i = 0; i < 5; ++i) {
    fabric.call("on_train_batch_end");
    fabric.call("on_x");
  }
  const Profile profile = fabric.profile();
  CHECK(counted(profile, "Counting", "on_train_batch_end") == 5);
  CHECK(counted(profile, "filtered", "on_train_batch_end") == 2);
  CHECK(counted(profile, "Counting", "on_x") == 5);
  CHECK(counted(profile, "EventHandlers", "on_x") == 5);
  CHECK(counted(profile, "Counting", "on_y") == 0);
  CHECK(profile.run_seconds == Approx(5));
  CHECK(profile.rows.front().who == "EventHandlers");
  CHECK(profile.rows.front().seconds == Approx(5));
}

TEST_CASE("a Fabric's trainer can be read but not run") {
  Fabric fabric;
  ToyModule net;
  CHECK_THROWS_WITH(fabric.trainer().fit(net, toy_data()), Contains("belongs to a Fabric"));
  CHECK_THROWS_WITH(fabric.trainer().validate(net, toy_data()), Contains("belongs to a Fabric"));
  CHECK_FALSE(fabric.trainer().has_module());
}

}  // namespace fabric_policy_test
