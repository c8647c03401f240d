// The plugin commands answer in milliseconds because they never load LibTorch.
#include <string>

#include "catch.h"
#include "grapnel_user.h"

namespace no_libtorch_test {

using namespace grapnel;
using grapnel::test::GrapnelUser;

namespace {

// The libraries that the system's loader touches, as it tells itself.
std::string libraries_of(const GrapnelUser& user, const test::Arguments& arguments) {
  const ProcessResult result = user.run(arguments, {{"LD_DEBUG", "files"}});
  INFO(result.error);
  CHECK(result.exit_code == 0);
  REQUIRE(result.error.find("libc.so.6") != std::string::npos);  // that it tells anything at all
  return result.error;
}

}  // namespace

TEST_CASE("plugin list, enable, inspect and disable load no LibTorch, and no plugin") {
  const GrapnelUser user;
  user.add_plugin("ema");
  for (const test::Arguments& command : {test::Arguments{"plugin", "list"},
                                         {"plugin", "enable", "ema"},
                                         {"plugin", "list"},
                                         {"plugin", "inspect", "ema"},
                                         {"plugin", "disable", "ema"},
                                         {"plugin", "path"}}) {
    const std::string libraries = libraries_of(user, command);
    for (const char* name : {"torch", "libc10", "grapnel_core", "ema.so"}) {
      INFO(command[1] << " " << name);
      CHECK(libraries.find(name) == std::string::npos);
    }
  }
}

}  // namespace no_libtorch_test
