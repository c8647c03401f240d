// grapnel plugin enable: what it tries, refuses and tells.
#include <algorithm>
#include <filesystem>

#include "catch.h"
#include "grapnel_user.h"

namespace plugin_enable_test {

using namespace grapnel;
using Catch::Contains;
using Catch::StartsWith;
using grapnel::test::GrapnelUser;
namespace fs = std::filesystem;

namespace {

std::string hostile(const std::string& name) {
  return std::string(HOSTILE_DIRECTORY) + "/" + name + "/" + name + ".so";
}

// With this home and no other directory of the user's, but for temporary files.
ProcessResult run_homeless(const GrapnelUser& user, const std::string& home,
                           const test::Arguments& arguments) {
  return run_process({.program = GRAPNEL,
                      .arguments = arguments,
                      .environment = {{"HOME", home},
                                      {"XDG_CONFIG_HOME", ""},
                                      {"XDG_DATA_HOME", ""},
                                      {"XDG_CACHE_HOME", ""},
                                      {"XDG_RUNTIME_DIR", ""},
                                      {"TMPDIR", user.dir.path().string()},
                                      {"GRAPNEL_PLUGIN_PATH", user.plugins().string()}},
                      .working_directory = user.directories.project,
                      .deadline_seconds = 100 * grapnel::test::kPatience});
}

}  // namespace

TEST_CASE("plugin enable tries a plugin first, and refuses one that can't run") {
  const GrapnelUser user;
  ProcessResult result = user.run({"plugin", "enable", hostile("load_crashes")});
  CHECK(result.exit_code == 4);
  CHECK(result.output.empty());
  CHECK_THAT(result.error,
             StartsWith("grapnel: error: cannot enable plugin 'load_crashes'") &&
                 Contains("SIGSEGV (11) while loading it") &&
                 Contains("grapnel plugin enable --force '" + hostile("load_crashes")));
  CHECK_THAT(user.answer({"plugin", "list"}), StartsWith("No plugins were found."));
  for (const char* deadline : {"0.2", "1", "5", "25", "100"}) {
    result = user.run({"plugin", "enable", hostile("load_hangs"), "--deadline", deadline});
    if (result.error.find("could not start") == std::string::npos) break;
  }
  CHECK(result.exit_code == 4);
  CHECK_THAT(result.error, Contains("loading it did not finish within"));
}

TEST_CASE("plugin enable names the command that works for a plugin of the search path") {
  const GrapnelUser user;
  for (const char* ending : {".so", ".grapnel.json"}) {
    fs::copy_file(fs::path(hostile("load_crashes")).replace_extension(ending),
                  user.plugins() / ("load_crashes" + std::string(ending)));
  }
  const ProcessResult result = user.run({"plugin", "enable", "load_crashes"});
  CHECK(result.exit_code == 4);
  CHECK_THAT(result.error, Contains("grapnel plugin enable --force load_crashes\n"));
  CHECK_THAT(user.answer({"plugin", "list"}),
             Contains("disabled") && Contains("it failed when it was tried: "));
}

TEST_CASE("plugin enable --force says what it overrides, and the list shows a suspect") {
  const GrapnelUser user;
  const ProcessResult result = user.run({"plugin", "enable", "--force", hostile("load_crashes")});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.output, StartsWith("enabled 'load_crashes'"));
  CHECK_THAT(result.error, StartsWith("grapnel: warning: plugin 'load_crashes': trainings with it "
                                      "will fail as it did when it was tried: ") &&
                               Contains("SIGSEGV"));
  CHECK_THAT(user.answer({"plugin", "list"}), Contains("suspect") &&
                                                  Contains("it failed when it was tried: ") &&
                                                  Contains("grapnel plugin disable load_crashes") &&
                                                  Contains("1 plugin: 1 suspect"));
  const ConfigValue listed = user.json({"plugin", "list"}).at("plugins").as_array()[0];
  CHECK(listed.at("state").as_string() == "suspect");
  CHECK_THAT(listed.at("probe").as_string(), Contains("SIGSEGV"));
  const ConfigValue inspected = user.json({"plugin", "inspect", "load_crashes"});
  CHECK(inspected.at("state").as_string() == "suspect");
}

TEST_CASE("plugin enable tells what a library is linked with that no copy pins") {
  const GrapnelUser user;
  const ProcessResult result = user.run({"plugin", "enable", "--force", hostile("links_libtorch")});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.output, Contains("linked with libtorch_cpu.so") && Contains("no copy pins it"));
  const ConfigValue again =
      user.json({"plugin", "enable", "--force", hostile("links_libtorch")}).as_array()[0];
  CHECK(again.at("links").as_array()[0].as_string() == "libtorch_cpu.so");
  CHECK(again.at("action").as_string() == "unchanged");
}

TEST_CASE("plugin enable says that it repaired a plugin whose copy was changed") {
  const GrapnelUser user;
  user.add_plugin("ema");
  (void)user.answer({"plugin", "enable", "ema"});
  for (const auto& entry : fs::directory_iterator(user.directories.data / "store")) {
    fs::permissions(entry.path(), fs::perms{0600});
    test::change_library(entry.path());
  }
  CHECK_THAT(user.answer({"plugin", "list"}), Contains("damaged") && Contains("was changed"));
  CHECK_THAT(user.answer({"plugin", "enable", "ema"}), StartsWith("repaired 'ema' 1.0.0"));
  CHECK_THAT(user.answer({"plugin", "list"}), Contains("1 plugin: 1 enabled"));
}

TEST_CASE("without a home that can be written, enabling names what to set") {
  const GrapnelUser user;
  const fs::path library = user.add_plugin("ema");
  const ProcessResult enabled =
      run_homeless(user, "/dev/null", {"plugin", "enable", library.string()});
  CHECK(enabled.exit_code == 6);
  CHECK_THAT(enabled.error, StartsWith("grapnel: error: cannot keep plugins in '/dev/null/") &&
                                Contains("XDG_DATA_HOME") && Contains("XDG_CONFIG_HOME"));
  const ProcessResult disabled = run_homeless(user, "/dev/null", {"plugin", "disable", "ema"});
  CHECK(disabled.exit_code == 6);
  CHECK_THAT(disabled.error, Contains("XDG_CONFIG_HOME"));
  CHECK(run_homeless(user, "/dev/null", {"plugin", "list"}).exit_code == 0);
}

TEST_CASE("without a home that can be written, a plugin is tried in a private directory") {
  const GrapnelUser user;
  for (const char* home : {"/dev/null", "/proc/none"}) {
    for (const test::Arguments& command :
         {test::Arguments{"plugin", "validate", NAN_GUARD},
          test::Arguments{"plugin", "inspect", "--probe", NAN_GUARD}}) {
      const ProcessResult result = run_homeless(user, home, command);
      INFO(home << ": " << result.error);
      CHECK(result.exit_code == 0);
      CHECK_THAT(result.error, StartsWith("grapnel: warning: cannot write to '") &&
                                   Contains("a private directory is used for this run only") &&
                                   Contains("XDG_CACHE_HOME"));
      CHECK(std::count(result.error.begin(), result.error.end(), '\n') == 1);
    }
    for (const auto& entry : fs::directory_iterator(user.dir.path())) {
      CHECK_FALSE(entry.path().filename().string().starts_with("grapnel-run-"));
    }
  }
}

}  // namespace plugin_enable_test
