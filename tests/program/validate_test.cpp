// grapnel plugin validate: each check against a plugin of tests/hostile/checks that fails it alone, and all
// of them against the plugins that ship.
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "catch.h"
#include "grapnel_user.h"

namespace validate_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::GrapnelUser;
namespace fs = std::filesystem;

namespace {

using Results = std::map<std::string, std::string>;  // by the check's id

Results results(const GrapnelUser& user, const fs::path& library,
                const test::Arguments& more = {}) {
  test::Arguments arguments = {"plugin", "validate", library.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  Results found;
  const ConfigValue answer = user.json(arguments);
  for (const ConfigValue& check : answer.at("checks").as_array()) {
    found[check.at("id").as_string()] = check.at("result").as_string();
  }
  return found;
}

Results remarkable(Results found) {
  std::erase_if(found,
                [](const auto& check) { return check.second == "pass" || check.second == "skip"; });
  return found;
}

fs::path hostile(const std::string& name) {
  return fs::path(HOSTILE_DIRECTORY) / name / (name + ".so");
}

// Of the check "state.key": tests/hostile/checks/state_key.c.
void check_group(const std::string& group) {
  const GrapnelUser user;
  const Results good = results(user, NAN_GUARD, {"--only", group});
  CHECK(good.size() > 2);
  for (const auto& [id, result] : good) {
    std::string name = id;
    std::ranges::replace(name, '.', '_');
    INFO(id);
    REQUIRE(fs::exists(hostile(name)));
    const Results found = remarkable(results(user, hostile(name)));
    INFO(found.size() << " checks, the first " << (found.empty() ? "" : found.begin()->first));
    CHECK(found.size() == 1);
    CHECK(found.contains(id));
  }
}

}  // namespace

TEST_CASE("each check of the file has a plugin that fails it alone") {
  check_group("static");
}

TEST_CASE("each check of loading has a plugin that fails it alone") {
  check_group("load");
}

TEST_CASE("each check of behaviour has a plugin that fails it alone") {
  check_group("behaviour");
}

TEST_CASE("each check of the state has a plugin that fails it alone") {
  check_group("state");
}

TEST_CASE("each check of leaks has a plugin that fails it alone") {
  check_group("leaks");
}

TEST_CASE("each check of the process's end has a plugin that fails it alone") {
  check_group("exit");
}

TEST_CASE("each check in other hosts has a plugin that fails it alone") {
  check_group("hosts");
}

TEST_CASE("the plugins that ship are valid") {
  const GrapnelUser user;
  int plugins = 0;
  for (const auto& entry : fs::directory_iterator(PLUGINS_DIRECTORY)) {
    if (entry.path().extension() != ".so") continue;
    ++plugins;
    Results found = remarkable(results(user, entry.path()));
    std::erase_if(found, [](const auto& check) { return check.second == "warn"; });
    INFO(entry.path().filename().string());
    INFO((found.empty() ? "" : found.begin()->first));
    CHECK(found.empty());
  }
  CHECK(plugins >= 16);  // one of them needs a library that not every machine has
}

TEST_CASE("a plugin that crashes or hangs in a training fails that check, and others are skipped") {
  const GrapnelUser user;
  Results found = results(user, hostile("hook_crashes"));
  CHECK(remarkable(found) == Results{{"behaviour.training", "crash"}});
  CHECK(found.at("state.save") == "skip");
  for (const char* deadline :
       {"1", "5", "25", "100"}) {  // the first may end before the plugin is reached
    found = results(user, hostile("hook_hangs"), {"--deadline", deadline});
    if (found.at("load.library") == "pass") break;
  }
  CHECK(remarkable(found) == Results{{"behaviour.training", "timeout"}});
}

TEST_CASE("--only takes checks and groups, and names the nearest to an unknown one") {
  const GrapnelUser user;
  const Results found = results(user, NAN_GUARD, {"--only", "hosts,leaks.memory"});
  CHECK(found.size() == 6);
  CHECK(found.at("leaks.memory") == "pass");
  const auto refused = user.run({"plugin", "validate", NAN_GUARD, "--only", "leaks.memroy"});
  CHECK(refused.exit_code != 0);
  CHECK_THAT(refused.error, Contains("there is no check or group 'leaks.memroy'") &&
                                Contains("did you mean 'leaks.memory'?"));
}

TEST_CASE("--in-process has the same results, without those of a child") {
  const GrapnelUser user;
  const Results children = results(user, NAN_GUARD, {"--only", "behaviour,state,hosts"});
  CHECK(results(user, NAN_GUARD, {"--only", "behaviour,state,hosts", "--in-process"}) == children);
}

TEST_CASE("the JSON of a validation has plugin and checks, each with id, group, result, detail") {
  const GrapnelUser user;
  const ConfigValue answer = user.json({"plugin", "validate", NAN_GUARD, "--only", "state.save"});
  CHECK(answer.at("plugin").as_string() == "nan_guard");
  REQUIRE(answer.at("checks").size() == 1);
  const ConfigValue check = answer.at("checks").as_array()[0];
  CHECK(check.at("id").as_string() == "state.save");
  CHECK(check.at("group").as_string() == "state");
  CHECK(check.at("result").as_string() == "pass");
  CHECK_FALSE(check.at("detail").as_string().empty());
}

}  // namespace validate_test
