#include <grapnel/validation/validation.h>

#include <algorithm>
#include <filesystem>

#include "catch.h"
#include "plugin_world.h"

namespace validation_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
using validation::CheckReport;
using validation::CheckResult;
using validation::Validation;
namespace fs = std::filesystem;

namespace {

Validation validate(const PluginWorld& world, const fs::path& library) {
  return validation::validate_plugin(examine(library), world.directories,
                                     {.probe = {.program = GRAPNEL}, .only = {}});
}

const CheckReport& find(const Validation& validation, const std::string& id) {
  for (const CheckReport& check : validation.checks) {
    if (check.id == id) return check;
  }
  FAIL("there is no check " << id);
  return validation.checks.front();
}

}  // namespace

TEST_CASE("a plugin made by grapnel_add_plugin() is valid in every respect") {
  const PluginWorld world;
  const Validation validation = validate(world, NAN_GUARD);
  CHECK(validation.checks.size() >= 40);
  for (const CheckReport& check : validation.checks) {
    INFO(check.id << ": " << check.detail);
    // Whether it calls an operator depends on the device of what it looks at.
    if (check.id == "behaviour.unused_extensions") continue;
    CHECK((check.result == CheckResult::pass || check.result == CheckResult::skip));
  }
  CHECK(validation.ok());
}

TEST_CASE("an unknown manifest key and a manifest that is not embedded are warnings") {
  const PluginWorld world;
  const Validation validation =
      validate(world, world.add_plugin("ema", {.members = R"("icon": "x",)"}));
  CHECK(find(validation, "static.manifest_keys").result == CheckResult::warn);
  CHECK(find(validation, "static.embedded").result == CheckResult::warn);
  CHECK(validation.ok());
}

TEST_CASE("a plugin that is refused is not probed, and the rest is checked nevertheless") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  fs::permissions(world.plugins(), fs::perms{0777});
  const Validation validation = validate(world, library);
  CHECK_FALSE(validation.ok());
  CHECK(find(validation, "load.library").result == CheckResult::skip);
  CHECK_THAT(find(validation, "static.usable").detail, Contains("is writable by others"));
  CHECK(find(validation, "static.executable_stack").result == CheckResult::pass);
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
  CHECK_THAT(find(validation, "load.tried").detail, Contains("no default") && Contains("url"));
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
  const CheckReport& check = find(validation, "load.hooks_named");
  CHECK(check.result == CheckResult::warn);
  CHECK_THAT(check.detail, Contains("names 'on_fit_start', which it doesn't want"));
}

TEST_CASE("a file that is not a library is invalid, with one clear reason") {
  const PluginWorld world;
  const Validation validation = validate(world, world.dir.write("x.so", "text"));
  CHECK_FALSE(validation.ok());
  CHECK(std::ranges::count(validation.checks, CheckResult::fail, &CheckReport::result) == 1);
}

}  // namespace validation_test
