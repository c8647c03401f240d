// From a library in a directory to a callback in a Trainer: enabled_plugins() and make_trainer(), with the
// plugins that ship.
#include <grapnel/bridge/plugins.h>

#include <grapnel/base/error.h>

#include "catch.h"
#include "support/plugin_home.h"
#include "support/toy_training.h"

namespace plugins_test {

using namespace grapnel;
using namespace grapnel::bridge;
using namespace grapnel::test;

namespace {

std::vector<std::string> names_of(const std::vector<CallbackHandle>& handles) {
  std::vector<std::string> names;
  for (const CallbackHandle& handle : handles) names.push_back(handle.callback->type_name());
  return names;
}

PluginCallbackConfig configured(const std::string& name, const std::string& parameters,
                                const std::string& label = "") {
  PluginCallbackConfig config{.name = name};
  config.options.parameters = parse_json(parameters, "run.json");
  config.options.name = label;
  return config;
}

}  // namespace

TEST_CASE("a plugin in a search directory does not run until it is enabled, and the log says how") {
  PluginHome home;
  home.drop_in(EMA);
  CapturedLog log;
  CHECK(enabled_plugins(home.selection()).empty());
  CHECK(log.count("grapnel plugin enable ema") == 1);

  home.enable("ema");
  const auto handles = enabled_plugins(home.selection());
  REQUIRE(names_of(handles) == std::vector<std::string>{"ema"});
  CHECK(handles[0].origin == CallbackOrigin::plugin);
  CHECK_THAT(handles[0].source, Catch::StartsWith("ema 0.1.0 (") && Catch::EndsWith("ema.so)"));
  CHECK(log.count("grapnel plugin enable ema") == 1);
}

TEST_CASE("a trainer made with the enabled plugins runs them, behind the user's callbacks") {
  PluginHome home;
  home.drop_in(NAN_GUARD);
  home.drop_in(EMA);
  home.enable("nan_guard");
  home.enable("ema");
  struct Mine final : Callback {
    void on_train_end(Event&) override {}
  };
  Toy toy;
  toy.options.enable_checkpointing = true;
  toy.options.enable_model_summary = false;
  toy.options.fast_dev_run = 1;  // nothing is written
  toy.trainer = make_trainer(toy.options, {std::make_shared<Mine>()}, home.selection());
  const auto names = names_of(toy.trainer->callbacks());
  REQUIRE(names.size() == 4);
  CHECK(names[1] == "ema");
  CHECK(names[2] == "nan_guard");
  CHECK(names[3] == "ModelCheckpoint");
  toy.trainer->fit(toy.module, Data(toy.train, DataLoaders{toy.val}));
}

TEST_CASE("a configuration by id changes parameters, makes several instances, or leaves one out") {
  PluginHome home;
  home.drop_in(EMA);
  home.drop_in(NAN_GUARD);
  home.enable("ema");
  home.enable("nan_guard");
  const auto parameter = [](const CallbackHandle& handle, const char* name) {
    return dynamic_cast<PluginCallback&>(*handle.callback).parameters().get<double>(name);
  };

  const auto changed = enabled_plugins(home.selection(), {configured("ema", R"({"decay": 0.5})")});
  REQUIRE(changed.size() == 2);
  CHECK(parameter(changed[0], "decay") == 0.5);
  CHECK(names_of(changed)[1] == "nan_guard");

  const auto twice = enabled_plugins(
      home.selection(),
      {configured("ema", R"({"decay": 0.5})"), configured("ema.ema", R"({"decay": 0.9})", "slow")});
  REQUIRE(twice.size() == 3);
  CHECK(twice[0].callback->state_key() == "ema/ema/default");
  CHECK(twice[1].callback->state_key() == "ema/ema/slow");

  PluginCallbackConfig off{.name = "ema"};
  off.enabled = false;
  CHECK(names_of(enabled_plugins(home.selection(), {off})) ==
        std::vector<std::string>{"nan_guard"});
}

TEST_CASE("a former id that another selected plugin has is that one's, with settings and states") {
  PluginHome home;
  const std::filesystem::path hostile(HOSTILE);
  home.drop_in(hostile / "witness/witness.so");
  const std::filesystem::path library = hostile / "manifest_absent/manifest_absent.so";
  std::filesystem::copy_file(library, home.plugins() / "manifest_absent.so");
  home.dir.write(home.plugins() / "manifest_absent.grapnel.json", R"({
      "manifest_version": 1, "id": "manifest_absent", "version": "0.1.0", "summary": "Was witness.",
      "abi": {"major": 0, "minor": 4}, "aliases": ["witness"],
      "callbacks": [{"name": "manifest_absent", "summary": "Was witness."}]})");
  home.enable("manifest_absent");
  const auto only = enabled_plugins(home.selection());
  REQUIRE(only.size() == 1);
  CHECK(only[0].callback->former_state_keys().size() == 1);

  home.enable("witness");
  const host::PluginSelection both = host::select_plugins(home.selection());
  const auto found = find_plugin_callback(both, "witness", {});
  REQUIRE(found);
  CHECK(found->plugin->manifest->id == "witness");
  const auto handles = make_plugin_callbacks(both, {});
  REQUIRE(handles.size() == 2);
  for (const CallbackHandle& handle : handles) {
    CHECK(handle.callback->former_state_keys().empty());
  }
}

TEST_CASE("the id of a plugin is found before another's callback that is called so") {
  host::PluginSelection selection;
  for (const char* id : {"k", "k.mon"}) {  // in the order of ids
    host::Manifest manifest;
    manifest.id = id;
    manifest.callbacks.emplace_back().name = "mon";
    selection.plugins.push_back(
        {.manifest = std::make_shared<const host::Manifest>(std::move(manifest)),
         .library = {},
         .digest = {},
         .origin = {},
         .reason = {},
         .order_reason = {}});
  }
  const auto found = [&](const char* name) {
    return find_plugin_callback(selection, name, {})->plugin->manifest->id;
  };
  CHECK(found("k.mon") == "k.mon");
  CHECK(found("k") == "k");
  CHECK(found("k.mon.mon") == "k.mon");
}

TEST_CASE("an invalid plugin configuration is refused with its place and the accepted values") {
  PluginHome home;
  home.drop_in(EMA);
  home.enable("ema");
  const auto with = [&](const PluginCallbackConfig& config) {
    enabled_plugins(home.selection(), {config});
  };
  CHECK_THROWS_WITH(with(configured("emma", "{}")), Catch::Contains("'emma', did you mean 'ema'?"));
  CHECK_THROWS_WITH(with(configured("ema", "{\"decay\": 2}")),
                    Catch::StartsWith("run.json:1:") && Catch::Contains("decay"));
  CHECK_THROWS_WITH(with(configured("ema", "{\"dekay\": 0.9}")), Catch::Contains("'decay'"));
}

TEST_CASE("plugins are ordered by before and after, else by id") {
  PluginHome home;
  for (const char* library : {NAN_GUARD, EMA, GRAD_NORM}) home.drop_in(library);
  for (const char* id : {"nan_guard", "grad_norm", "ema"}) home.enable(id);
  CHECK(names_of(enabled_plugins(home.selection())) ==
        std::vector<std::string>{"ema", "grad_norm", "nan_guard"});
}

TEST_CASE("a plugin that was changed in the store is refused before any of its code runs") {
  PluginHome home;
  home.drop_in(EMA);
  // Another build than the one that the other tests have loaded: what is loaded stays.
  std::ofstream(home.plugins() / "ema.so", std::ios::app) << "y";
  home.enable("ema");
  const auto selection = host::select_plugins(home.selection());
  const std::filesystem::path copy = selection.plugins.at(0).library;
  std::filesystem::permissions(copy, std::filesystem::perms::owner_all);
  std::ofstream(copy, std::ios::app) << "x";
  CHECK_THROWS_AS(make_plugin_callbacks(selection), PluginError);
}

}  // namespace plugins_test
