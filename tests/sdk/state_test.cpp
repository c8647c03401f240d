// State goes into a checkpoint and comes back the same.
#include "catch.h"
#include "wrapped.h"

namespace state_test {

using namespace grapnel::test;
using grapnel::plugin::Bytes;
using grapnel::plugin::Callback;
using grapnel::plugin::Tensor;

namespace {

struct Keeper final : Callback {
  void on_fit_start(Event& event) override {
    count = 7;
    ratio = 0.25;
    flag = true;
    text = std::string("line\n\0end", 9);
    bytes = {0, 255, 10};
    numbers = {1.5, -2};
    integers = {1, std::int64_t{1} << 60};
    tensor = event.tensor({1, 2, 3, 4}, {2, 2});
  }
  void on_fit_end(Event& event) override {
    const bool same = count == 7 && ratio == 0.25 && flag && text.size() == 9 &&
                      bytes.size() == 3 && bytes[1] == 255 &&
                      numbers == std::vector<double>{1.5, -2} && integers[0] == 1 &&
                      tensor.sizes() == std::vector<std::int64_t>{2, 2} &&
                      tensor.to_vector() == std::vector<double>{1, 2, 3, 4};
    event.log_info(same ? "same" : "different");
    event.log_info(version);
  }
  void save_state(StateWriter& state) const override {
    state.put("count", count);
    state.put("ratio", ratio);
    state.put("flag", flag);
    state.put("text", text);
    state.put("bytes", bytes);
    state.put("numbers", numbers);
    state.put("integers", integers);
    state.put("tensor", tensor);
  }
  void load_state(const StateReader& state) override {
    count = state.get("count", count);
    ratio = state.get<double>("ratio");
    flag = state.get<bool>("flag");
    text = state.get<std::string>("text");
    bytes = state.get<Bytes>("bytes");
    numbers = state.get<std::vector<double>>("numbers");
    integers = state.get<std::vector<std::int64_t>>("integers");
    tensor = state.get<Tensor>("tensor");
    version = state.version();
    if (state.keys().size() != 8) throw std::runtime_error("keys are missing");
  }
  std::string state_key() const override { return "keeper of " + std::to_string(count); }

  std::int64_t count = 0;
  double ratio = 0;
  bool flag = false;
  std::string text, version;
  Bytes bytes;
  std::vector<double> numbers;
  std::vector<std::int64_t> integers;
  Tensor tensor;
};

struct Stateless final : Callback {};

struct NewVersion final : Callback {
  void load_state(const StateReader& state) override {
    if (state.find<double>("missing")) throw std::runtime_error("found what isn't there");
    state.get<std::string>("count");
  }
};

}  // namespace

TEST_CASE("plugin state of every type is restored as it was saved") {
  RecordingHost host;
  RecordedState saved;
  {
    RunningCallback first(host, plugin_of<Keeper>(), "it");
    first.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_start);
    saved = first.save();
    CHECK(first.state_key() == "keeper of 7");
  }
  saved.version = "0.0.9";
  RunningCallback second(host, plugin_of<Keeper>(), "it");
  REQUIRE(second.load(saved) == GRAPNEL_OK);
  second.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_end);
  CHECK(host.log == std::vector<std::string>{"info: same", "info: 0.0.9"});
}

TEST_CASE("a plugin class without state functions has no state and no state key") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Stateless>(), "it");
  CHECK(callback.state() == nullptr);
}

TEST_CASE("a plugin class without state_key() leaves the key to the host") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<NewVersion>(), "it");
  REQUIRE(callback.state() != nullptr);
  CHECK_FALSE(callback.state_key().has_value());
}

TEST_CASE("reading plugin state as another type is an error that names the entry") {
  RecordingHost host;
  RecordedState saved;
  saved.entries.emplace_back("count", std::int64_t{1});
  RunningCallback callback(host, plugin_of<NewVersion>(), "it");
  CHECK(callback.load(saved) == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"the state 'count' is of another type"});
}

TEST_CASE(
    "reading a missing entry of plugin state is an error that names it, unless there is a "
    "fallback") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Keeper>(), "it");
  CHECK(callback.load({}) == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"state 'ratio': there is none"});
}

TEST_CASE("writing a key of plugin state twice is an error that names it") {
  struct Twice final : Callback {
    void save_state(StateWriter& state) const override {
      state.put("seen", 1);
      state.put("seen", 2);
    }
  };
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Twice>(), "it");
  CHECK_THROWS(callback.save());
  REQUIRE(host.failures.size() == 1);
  CHECK_THAT(host.failures[0], Catch::StartsWith("saving state 'seen'"));
}

}  // namespace state_test
