// The plugin commands as their user sees them: what stands on which stream, and the exit code.
#include <filesystem>

#include <grapnel/base/digest.h>

#include "catch.h"
#include "grapnel_user.h"

namespace plugin_commands_test {

using namespace grapnel;
using Catch::Contains;
using Catch::StartsWith;
using grapnel::test::GrapnelUser;
namespace fs = std::filesystem;

TEST_CASE("plugin list without plugins says where they are searched") {
  const GrapnelUser user;
  const std::string answer = user.answer({"plugin", "list"});
  CHECK_THAT(answer, StartsWith("No plugins were found. The search path is:\n"));
  CHECK_THAT(answer, Contains((user.dir / "project/.grapnel/plugins").string()));
  CHECK_THAT(answer, Contains((user.dir / "data/grapnel/plugins").string()));
}

TEST_CASE("plugin list shows a plugin disabled, enabled and disabled again") {
  const GrapnelUser user;
  const fs::path library = user.add_plugin("ema", {.version = "1.2.0"});
  CHECK(user.answer({"plugin", "list"}) ==
        "ID   VERSION  STATE     FROM         SUMMARY\n"
        "ema  1.2.0    disabled  environment  About ema.\n"
        "\n"
        "1 plugin: 1 disabled\n"
        "To use one in every training: grapnel plugin enable ID\n");
  CHECK(user.answer({"plugin", "enable", "ema"}) ==
        "enabled 'ema' 1.2.0 (" + library.string() + "); its callbacks run in every training\n");
  CHECK_THAT(user.answer({"plugin", "list"}), Contains("1 plugin: 1 enabled\n"));
  CHECK_THAT(user.answer({"plugin", "enable", "ema"}), Contains("is already enabled"));
  CHECK(user.answer({"plugin", "disable", "ema"}) == "disabled 'ema'\n");
  CHECK(user.answer({"plugin", "disable", "ema"}) == "'ema' is already disabled\n");
}

TEST_CASE("a library is enabled by its path, from anywhere") {
  const GrapnelUser user;
  user.add_plugin("ema", {}, user.directories.project / "build");
  CHECK_THAT(user.answer({"plugin", "enable", "build/ema.so"}), StartsWith("enabled 'ema'"));
  CHECK_THAT(user.answer({"plugin", "list"}), Contains("enabled"));
}

TEST_CASE("plugin enable takes several plugins or all, and names those that are refused") {
  const GrapnelUser user;
  for (const char* id : {"a", "b", "c"}) user.add_plugin(id);
  user.add_plugin("bad", {.abi_major = 9});
  CHECK_THAT(user.answer({"plugin", "enable", "a", "b"}),
             Contains("enabled 'a'") && Contains("enabled 'b'"));
  const ProcessResult all = user.run({"plugin", "enable", "--all"});
  CHECK(all.exit_code == 0);
  CHECK_THAT(all.output,
             Contains("'a' 1.0.0") && Contains("is already enabled") && Contains("enabled 'c'"));
  CHECK_THAT(all.error, Contains("plugin 'bad' 1.0.0") && Contains("is skipped: it needs ABI 9."));
  CHECK_THAT(user.answer({"plugin", "disable", "--all"}), Contains("disabled 'c'"));
}

TEST_CASE("plugin enable --all skips disabled plugins and the project's") {
  const GrapnelUser user;
  for (const char* id : {"a", "b"}) user.add_plugin(id);
  user.add_plugin("c", {}, user.directories.project / ".grapnel/plugins");
  (void)user.answer({"plugin", "disable", "b"});
  const ProcessResult all = user.run({"plugin", "enable", "--all"});
  CHECK(all.exit_code == 0);
  CHECK_THAT(all.output, StartsWith("enabled 'a'") && !Contains("'b'") && !Contains("'c'"));
  CHECK_THAT(all.error, Contains("'b' 1.0.0") && Contains("it is disabled") &&
                            Contains("'c' 1.0.0") &&
                            Contains("plugins of a project need your consent"));
  CHECK_THAT(user.answer({"plugin", "enable", "b", "c"}),
             Contains("enabled 'b'") && Contains("enabled 'c'"));
}

TEST_CASE("a plugin that cannot be copied keeps none of the others from being enabled") {
  const GrapnelUser user;
  for (const char* id : {"a", "b", "c"}) user.add_plugin(id);
  // What stands in the copy's place can't be replaced.
  user.dir.write("data/grapnel/store/" + hex(sha256_file(PLAIN_PLUGIN)) + "-b.so/file", "x");
  for (const char* directory : {"data", "data/grapnel", "data/grapnel/store"}) {
    fs::permissions(user.dir / directory, fs::perms::owner_all);
  }
  const ProcessResult result = user.run({"plugin", "enable", "--all", "--json"});
  CHECK(result.exit_code == 6);
  CHECK_THAT(result.error, Contains("-b.so"));
  const ConfigValue enabled = parse_json(result.output, "standard output");
  REQUIRE(enabled.size() == 2);
  CHECK(enabled.as_array()[1].at("id").as_string() == "c");
}

TEST_CASE("plugin enable with one unknown id among several changes nothing") {
  const GrapnelUser user;
  user.add_plugin("ema");
  user.add_plugin("grad_norm");
  const ProcessResult result = user.run({"plugin", "enable", "ema", "grad_nrm"});
  CHECK(result.exit_code == 4);
  CHECK(result.output.empty());
  CHECK_THAT(result.error, Contains("there is no plugin 'grad_nrm'; see ") &&
                               Contains("; did you mean 'grad_norm'?"));
  CHECK_THAT(user.answer({"plugin", "list"}), Contains("2 plugins: 2 disabled"));
}

TEST_CASE("each way to refuse a plugin says what was found, what is accepted and what to do") {
  const GrapnelUser user;
  const auto error = [&](const std::string& plugin) {
    const ProcessResult result = user.run({"plugin", "enable", plugin});
    CHECK(result.exit_code == 4);
    CHECK(result.output.empty());
    CHECK_THAT(result.error, StartsWith("grapnel: error: "));
    return result.error;
  };
  CHECK_THAT(error("missing"),
             Contains("there is no plugin 'missing'") && Contains("see 'grapnel plugin list'"));
  fs::copy_file(ENTRY_MISSING, user.plugins() / "entry_missing.so");
  CHECK_THAT(error("entry_missing"), Contains("does not export the symbol grapnel_plugin_v0") &&
                                         Contains("GRAPNEL_PLUGIN(...)"));
  fs::copy_file(OTHER_MAJOR, user.plugins() / "entry_other_major.so");
  CHECK_THAT(error("entry_other_major"),
             Contains("needs ABI 99.") && Contains("; update grapnel, or install an older"));
  user.add_plugin("corrupt");
  user.dir.write("plugins/corrupt.grapnel.json", "{\"manifest_version\": 1,\n \"id\" 5}");
  CHECK_THAT(error("corrupt"), Contains("its manifest cannot be used: corrupt.grapnel.json:2:7:"));
  user.add_plugin("open_to_all");
  fs::permissions(user.plugins(), fs::perms{0777});
  CHECK_THAT(error("open_to_all"), Contains("the directory '" + user.plugins().string() +
                                            "' is writable by others (mode 0777)") &&
                                       Contains("chmod go-w"));
}

TEST_CASE("plugin enable names a file that doesn't exist") {
  const GrapnelUser user;
  const ProcessResult result = user.run({"plugin", "enable", "./absent.so"});
  CHECK(result.exit_code != 0);
  CHECK_THAT(result.error, Contains("absent.so") && Contains("No such file"));
}

TEST_CASE("a library that changed since it was enabled is a pending update") {
  const GrapnelUser user;
  const fs::path library = user.add_plugin("ema");
  (void)user.answer({"plugin", "enable", "ema"});
  test::change_library(library);
  CHECK_THAT(
      user.answer({"plugin", "list"}),
      Contains("update waits") &&
          Contains(
              "    another build of 1.0.0 is available; to use it: grapnel plugin enable ema\n"));
  CHECK_THAT(user.answer({"plugin", "enable", "ema"}), StartsWith("updated 'ema' 1.0.0"));
  CHECK_THAT(user.answer({"plugin", "list"}), Contains("1 plugin: 1 enabled"));
}

TEST_CASE("a damaged record of enabled plugins stops with its place, and is left alone") {
  const GrapnelUser user;
  user.add_plugin("ema");
  user.dir.write("config/grapnel/plugins.json", "{\"format\": 1,\n\"plugins\": [}");
  for (const test::Arguments& command :
       {test::Arguments{"plugin", "list"}, {"plugin", "enable", "ema"}}) {
    const ProcessResult result = user.run(command);
    CHECK(result.exit_code == 3);
    CHECK_THAT(result.error,
               Contains("plugins.json:2:13:") && Contains("the file was not changed"));
  }
  CHECK(test::read_file(user.dir / "config/grapnel/plugins.json") ==
        "{\"format\": 1,\n\"plugins\": [}");
}

TEST_CASE("text from a manifest cannot control the terminal") {
  const GrapnelUser user;
  user.add_plugin("ema");
  std::string text = test::manifest_text("ema");
  text.replace(text.find("About ema."), 10, "\\u001b[2J\\u202eevil\\u0007");
  user.dir.write("plugins/ema.grapnel.json", text);
  fs::copy_file(NO_PLUGIN, user.plugins() / "\x1b[31mred.so");
  for (const char* command : {"list", "inspect", "validate"}) {
    test::Arguments arguments = {"plugin", command};
    if (command != std::string("list")) arguments.push_back("ema");
    const ProcessResult result = user.run(arguments);
    CHECK(result.output.find('\x1b') == std::string::npos);
    CHECK(result.output.find('\x07') == std::string::npos);
    CHECK(result.output.find("\xe2\x80\xae") == std::string::npos);
  }
  CHECK_THAT(user.answer({"plugin", "list"}), Contains("\\x1b[2J\\u202eevil\\x07"));
}

TEST_CASE("plugin inspect shows manifest, library and parameters without running the plugin") {
  const GrapnelUser user;
  fs::copy_file(NAN_GUARD, user.plugins() / "nan_guard.so");
  const std::string answer = user.answer({"plugin", "inspect", "nan_guard"});
  CHECK_THAT(answer, StartsWith("nan_guard ") && Contains("  State       disabled\n") &&
                         Contains("  Manifest    in the library\n") && Contains("libc.so.6") &&
                         Contains("Callback nan_guard") && Contains("patience: integer") &&
                         Contains("not probed yet"));
  CHECK_THAT(user.answer({"plugin", "inspect", "nan_guard", "--probe"}),
             Contains("Probe       passed"));
  CHECK_THAT(user.answer({"plugin", "inspect", "nan_guard"}), Contains("Probe       passed"));
}

TEST_CASE("plugin validate survives a crashing plugin and has its own exit code") {
  const GrapnelUser user;
  const std::string library = std::string(HOSTILE_DIRECTORY) + "/load_crashes/load_crashes.so";
  ProcessResult result = user.run({"plugin", "inspect", library, "--probe"});
  CHECK(result.exit_code == 4);
  CHECK_THAT(result.output, Contains("crashed after") && Contains("SIGSEGV"));
  result = user.run({"plugin", "validate", library});
  CHECK(result.exit_code == 4);
  CHECK_THAT(result.output, Contains("CRASHED   load.library") && Contains("SIGSEGV") &&
                                Contains("The plugin is not valid.\n"));
}

TEST_CASE("plugin validate ends a hanging plugin at the deadline") {
  const GrapnelUser user;
  const std::string library = std::string(HOSTILE_DIRECTORY) + "/load_hangs/load_hangs.so";
  ProcessResult result;
  for (const char* deadline : {"0.2", "1", "5", "25", "100"}) {
    result = user.run({"plugin", "validate", library, "--deadline", deadline});
    if (result.exit_code == 4) break;  // otherwise it ended before the plugin was reached
  }
  CHECK(result.exit_code == 4);
  CHECK_THAT(result.output, Contains("loading it did not finish within"));
}

TEST_CASE("a home directory behind a symbolic link works like any other") {
  const GrapnelUser user;
  user.add_plugin("ema");
  fs::create_directory(user.dir / "disk");
  fs::create_directory_symlink(user.dir / "disk", user.dir / "home");
  const auto run = [&](const test::Arguments& arguments) {
    return run_process({.program = GRAPNEL,
                        .arguments = arguments,
                        .environment = {{"HOME", (user.dir / "home").string()},
                                        {"XDG_CONFIG_HOME", ""},
                                        {"XDG_DATA_HOME", ""},
                                        {"XDG_CACHE_HOME", ""},
                                        {"GRAPNEL_PLUGIN_PATH", user.plugins().string()}},
                        .working_directory = user.directories.project,
                        .deadline_seconds = 100 * grapnel::test::kPatience});
  };
  CHECK_THAT(run({"plugin", "enable", "ema"}).output, StartsWith("enabled 'ema'"));
  CHECK_THAT(run({"plugin", "list"}).output, Contains("1 plugin: 1 enabled"));
  CHECK_THAT(run({"plugin", "validate", NAN_GUARD}).output, Contains("The plugin is valid.\n"));
  CHECK_THAT(run({"plugin", "inspect", NAN_GUARD}).output, Contains("Probe       passed"));
}

TEST_CASE("plugin validate accepts a good plugin") {
  const GrapnelUser user;
  CHECK_THAT(user.answer({"plugin", "validate", NAN_GUARD}), Contains("The plugin is valid.\n"));
}

TEST_CASE("a plugin is probed though the caller ignores the end of its children") {
  const GrapnelUser user;
  const ProcessResult result = user.run(
      {"--ignore-signal=CHLD", GRAPNEL, "plugin", "validate", NAN_GUARD}, {}, "/usr/bin/env");
  INFO(result.error);
  CHECK_THAT(result.output, Contains("The plugin is valid.\n"));
}

TEST_CASE("plugin path shows the search path in order, with what is wrong") {
  const GrapnelUser user;
  fs::permissions(user.plugins(), fs::perms{0777});
  const std::string answer = user.answer({"plugin", "path"});
  const std::size_t environment = answer.find("environment");
  const std::size_t project = answer.find("project");
  const std::size_t mine = answer.find("user");
  CHECK(environment < project);
  CHECK(project < mine);
  CHECK_THAT(answer, Contains("is writable by others") && Contains("does not exist") &&
                         Contains((user.dir / "config/grapnel/plugins.json").string()));
}

TEST_CASE("every plugin command's answer is available as JSON, alone on standard output") {
  const GrapnelUser user;
  user.add_plugin("ema");
  CHECK(user.json({"plugin", "list"}).at("plugins").as_array()[0].at("id").as_string() == "ema");
  CHECK(user.json({"plugin", "enable", "ema"}).as_array()[0].at("action").as_string() == "enabled");
  CHECK(user.json({"plugin", "inspect", "ema"}).at("state").as_string() == "enabled");
  CHECK(user.json({"plugin", "validate", "ema"}).at("checks").size() > 5);
  CHECK(user.json({"plugin", "disable", "ema"}).as_array()[0].at("action").as_string() ==
        "disabled");
  CHECK(user.json({"plugin", "path"}).at("directories").size() == 4);
}

TEST_CASE("a --plugin-path directory that doesn't exist is a usage error") {
  const GrapnelUser user;
  const ProcessResult result = user.run({"plugin", "list", "--plugin-path", "nowhere"});
  CHECK(result.exit_code == 2);
  CHECK_THAT(result.error, Contains("there is no directory 'nowhere'"));
}

}  // namespace plugin_commands_test
