// Somebody who types commands: runs the real program with directories of the test's own, in a
// directory of the test's own.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/base/process.h>

#include "../host/plugin_world.h"
#include "catch.h"
#include "patience.h"

namespace grapnel::test {

using Arguments = std::vector<std::string>;
using Variables = std::vector<std::pair<std::string, std::string>>;

class GrapnelUser : public PluginWorld {
 public:
  GrapnelUser() {
    directories.config = dir / "config/grapnel";
    directories.data = dir / "data/grapnel";
    directories.cache = dir / "cache/grapnel";
    std::filesystem::create_directory(directories.project);
  }

  // Variables as they are for every command; more may be added.
  Variables environment() const {
    return {{"HOME", dir.path().string()},
            {"XDG_CONFIG_HOME", (dir / "config").string()},
            {"XDG_DATA_HOME", (dir / "data").string()},
            {"XDG_CACHE_HOME", (dir / "cache").string()},
            {"GRAPNEL_PLUGIN_PATH", plugins().string()},
            {"LC_ALL", "C.UTF-8"}};
  }

  ProcessResult run(const Arguments& arguments, const Variables& more = {},
                    const std::filesystem::path& program = GRAPNEL) const {
    Variables variables = environment();
    variables.insert(variables.end(), more.begin(), more.end());
    return run_process({.program = program,
                        .arguments = arguments,
                        .environment = variables,
                        .working_directory = directories.project,
                        .deadline_seconds = 100 * grapnel::test::kPatience});
  }

  // The answer to a command that succeeds.
  std::string answer(const Arguments& arguments) const {
    const ProcessResult result = run(arguments);
    INFO(result.error);
    CHECK(result.exit_code == 0);
    return result.output;
  }
  ConfigValue json(Arguments arguments) const {
    arguments.push_back("--json");
    return parse_json(run(arguments).output, "standard output");
  }
};

}  // namespace grapnel::test
