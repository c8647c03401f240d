// A plugin in Rust in this host: it trains, keeps its state, and a panic in it is its own failure.
#include <filesystem>

#include <grapnel/base/error.h>

#include "catch.h"
#include "support/plugin_home.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace rust_test {

using namespace grapnel;
using namespace grapnel::bridge;
using namespace grapnel::test;

namespace {

std::vector<CallbackHandle> rusty(const std::string& parameters = "{}") {
  static PluginHome* const home = [] {
    auto* made = new PluginHome;  // the library stays loaded to the end of the process
    made->drop_in(RUST_PLUGIN);
    made->enable("rusty");
    return made;
  }();
  PluginCallbackConfig config{.name = "rusty"};
  config.options.parameters = parse_json(parameters, "run.json");
  return enabled_plugins(home->selection(), {config});
}

}  // namespace

TEST_CASE("a plugin in Rust trains, and continues from its state in a checkpoint") {
  const TempDir directory;
  const CapturedLog log;
  Toy toy;
  toy.fit(rusty());
  const double batches = toy.trainer->callback_metrics().at("rusty");
  CHECK(batches > 0);
  CHECK(log.count("[rusty] counted") == 1);
  toy.trainer->save_checkpoint(directory / "a.ckpt");
  toy.options.max_epochs = 2;
  toy.fit(rusty(), {.ckpt_path = (directory / "a.ckpt").string()});
  CHECK(toy.trainer->callback_metrics().at("rusty") == 2 * batches);
}

TEST_CASE("a panic in Rust is told as the plugin's failure") {
  Toy toy;
  CHECK_THROWS_WITH(toy.fit(rusty(R"({"panic_at": 2})")),
                    Catch::Contains("rusty") && Catch::Contains("on_train_batch_end") &&
                        Catch::Contains("it panicked"));
}

}  // namespace rust_test
