#include <grapnel/host/validation.h>

#include <filesystem>

#include "catch.h"
#include "plugin_world.h"

namespace validation_test {

using namespace grapnel;
using namespace grapnel::host;
using grapnel::test::PluginWorld;
using Outcome = ValidationCheck::Outcome;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

Validation validate(const PluginWorld& world, const fs::path& library) {
  return validate_plugin(examine(library), world.directories, {.program = GRAPNEL});
}

const ValidationCheck& find(const Validation& validation, const std::string& part) {
  for (const ValidationCheck& check : validation.checks) {
    if (check.check.find(part) != std::string::npos) return check;
  }
  FAIL("there is no check about " << part);
  return validation.checks.front();
}

}  // namespace

TEST_CASE("a plugin made by grapnel_add_plugin() is valid in every respect") {
  const PluginWorld world;
  const Validation validation = validate(world, NAN_GUARD);
  for (const ValidationCheck& check : validation.checks) {
    INFO(check.check << ": " << check.found);
    CHECK(check.outcome == Outcome::ok);
  }
  CHECK(validation.ok());
  CHECK(to_json(validation).at("ok").as_bool());
}

TEST_CASE("an unknown manifest key and a manifest that is not embedded are warnings") {
  const PluginWorld world;
  const Validation validation =
      validate(world, world.add_plugin("ema", {.members = R"("icon": "x",)"}));
  CHECK(find(validation, "only known keys").outcome == Outcome::warning);
  CHECK(find(validation, "embeds its manifest").outcome == Outcome::warning);
  CHECK(validation.ok());
}

TEST_CASE("a plugin that is refused is not probed, and the rest is checked nevertheless") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  fs::permissions(world.plugins(), fs::perms{0777});
  const Validation validation = validate(world, library);
  CHECK_FALSE(validation.ok());
  CHECK_FALSE(validation.probe);
  CHECK_THAT(find(validation, "can be used").found, Contains("is writable by others"));
  CHECK(find(validation, "no executable stack").outcome == Outcome::ok);
}

TEST_CASE("a callback with a required parameter is not probed, with a warning") {
  const PluginWorld world;
  std::string text = test::manifest_text("ema");
  const std::string summary = R"("summary": "Does nothing.")";
  text.replace(text.find(summary), summary.size(),
               summary + R"(, "parameters": {"url": {"type": "string", "doc": "Where to."}})");
  const fs::path library = world.add_plugin("ema");
  world.dir.write("plugins/ema.grapnel.json", text);
  const Validation validation = validate(world, library);
  CHECK(validation.ok());
  CHECK_THAT(find(validation, "was tried").found, Contains("no default") && Contains("url"));
}

TEST_CASE("hooks that a manifest names are compared with those that its callback wants") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  const auto validate_with = [&](const std::string& hooks) {
    std::string text = test::manifest_text("ema");
    const std::string summary = R"("summary": "Does nothing.")";
    text.replace(text.find(summary), summary.size(), summary + R"(, "hooks": )" + hooks);
    world.dir.write("plugins/ema.grapnel.json", text);
    return validate(world, library);
  };
  const Validation validation = validate_with(R"(["on_fit_start"])");
  CHECK(validation.ok());
  const ValidationCheck& check = find(validation, "wants the hooks that its manifest names");
  CHECK(check.outcome == Outcome::warning);
  CHECK_THAT(check.found, Contains("names 'on_fit_start', which it doesn't want"));
}

TEST_CASE("a file that is not a library is invalid, with one clear reason") {
  const PluginWorld world;
  const Validation validation = validate(world, world.dir.write("x.so", "text"));
  CHECK_FALSE(validation.ok());
  CHECK(validation.checks.size() == 1);
}

}  // namespace validation_test
