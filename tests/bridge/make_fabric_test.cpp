// Plugins in a loop of one's own, as make_fabric gives them: their filters, on_error and counts hold.
#include <grapnel/bridge/plugins.h>

#include <grapnel/base/error.h>
#include <grapnel/dispatcher.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/plugin_home.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace make_fabric_test {

using namespace grapnel;
using namespace grapnel::bridge;
using namespace grapnel::test;

namespace {

std::uint64_t calls_of(const Fabric& fabric, const std::string& who, const std::string& action) {
  for (const ProfileRow& row : fabric.profile().rows) {
    if (row.who == who && row.action == action) return row.calls;
  }
  return 0;
}

CallbackHandle disabling(CallbackHandle handle) {
  handle.on_error = OnError::disable;
  return handle;
}

}  // namespace

TEST_CASE("a plugin's filter holds in the loop, and its calls are counted") {
  PluginHome home;
  home.drop_in(NAN_GUARD);
  home.enable("nan_guard");
  ToyModule net;
  const auto fabric =
      make_fabric({}, home.selection(),
                  {{.name = "nan_guard", .filter = CallFilter{.every = CallSpan::steps(2)}}});
  fabric->setup(net);
  for (int i = 0; i < 5; ++i) fabric->call("on_train_batch_end", arg("loss", 0.5));
  CHECK(calls_of(*fabric, "nan_guard", "on_train_batch_end") == 2);
}

TEST_CASE("a plugin that fails ends the loop, or leaves it where its user chose so") {
  PluginHome home;
  home.drop_in(HOOK_FAILS);
  home.enable("hook_fails");
  ToyModule net;
  const auto strict = make_fabric({}, home.selection());
  strict->setup(net);
  CHECK_THROWS_AS(strict->call("on_train_batch_end", arg("loss", 0.5)), PluginError);

  CapturedLog log;
  ToyModule other;
  const auto lenient =
      make_fabric({}, home.selection(), {{.name = "hook_fails", .on_error = OnError::disable}});
  lenient->setup(other);
  for (int i = 0; i < 3; ++i) lenient->call("on_train_batch_end", arg("loss", 0.5));
  CHECK(calls_of(*lenient, "hook_fails", "on_train_batch_end") == 1);
  CHECK(log.count("hook_fails failed in on_train_batch_end and is disabled") == 1);
}

TEST_CASE("a disabled plugin's state stays in the loop's checkpoints, and destroy comes") {
  const TempDir directory;
  CapturedLog log;
  InProcessPlugin plugin;
  std::int64_t saves = 0;
  plugin.save = [&](const Caller&, const grapnel_state_writer* writer) {
    return writer->put_i64(writer, text(std::string_view("number")), ++saves);
  };
  std::int64_t loaded = 0;
  plugin.load = [&](const Caller&, const grapnel_state_reader* reader) {
    return reader->get_i64(reader, text(std::string_view("number")), &loaded);
  };
  bool fail = false;
  plugin.on(Hook::on_train_batch_end,
            [&](const Caller&, const grapnel_Event*) { return fail ? GRAPNEL_ERROR : GRAPNEL_OK; });
  {
    Fabric fabric({.callbacks = {disabling(plugin.handle())}});
    fabric.call("on_train_batch_end");
    fabric.save(directory / "one.ckpt", {});
    fail = true;
    fabric.call("on_train_batch_end");
    fabric.save(directory / "two.ckpt", {});
  }
  CHECK(saves == 1);
  CHECK(plugin.destroyed == 1);
  Fabric fabric({.callbacks = {plugin.handle()}});
  fabric.load(directory / "two.ckpt");
  CHECK(loaded == 1);
}

}  // namespace make_fabric_test
