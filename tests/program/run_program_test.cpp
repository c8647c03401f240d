// Commands that train are handed to grapnel-run as they are.
#include <filesystem>

#include "catch.h"
#include "grapnel_user.h"

namespace run_program_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::GrapnelUser;
namespace fs = std::filesystem;

namespace {

// `grapnel` as somebody would install it, without grapnel-run.
class Installation : public GrapnelUser {
 public:
  Installation() {
    fs::create_directories(dir / "prefix/bin");
    fs::copy_file(GRAPNEL, program());
  }
  fs::path program() const { return dir / "prefix/bin/grapnel"; }

  // A grapnel-run that says how it was called.
  void install_run_program(const fs::path& where) const {
    const fs::path script =
        dir.write("prefix" / where,
                  "#!/bin/sh\nfor a in \"$@\"; do printf '[%s]' \"$a\"; done\necho; exit 7\n");
    fs::permissions(script, fs::perms::owner_all);
  }

  ProcessResult call(const test::Arguments& arguments) const {
    return run(arguments, {{"LD_LIBRARY_PATH", LIBRARY_DIRECTORY}}, program());
  }
};

}  // namespace

TEST_CASE(
    "grapnel passes arguments and exit code of grapnel-run through, options and --help included") {
  const Installation installed;
  for (const char* where : {"libexec/grapnel/grapnel-run", "bin/grapnel-run"}) {
    installed.install_run_program(where);
    const ProcessResult result =
        installed.call({"fit", "--config", "a b.json", "--help", "--set", "x=\"\"", ""});
    CHECK(result.exit_code == 7);
    CHECK(result.output == "[fit][--config][a b.json][--help][--set][x=\"\"][]\n");
    fs::remove(installed.dir / "prefix" / where);
  }
}

TEST_CASE("every command that needs LibTorch is passed to grapnel-run") {
  const Installation installed;
  installed.install_run_program("bin/grapnel-run");
  for (const char* command : {"fit", "validate", "test", "predict", "callbacks"}) {
    CHECK(installed.call({command}).output == "[" + std::string(command) + "]\n");
  }
}

TEST_CASE("grapnel-run is found next to the real grapnel when that is called through a link") {
  const Installation installed;
  installed.install_run_program("bin/grapnel-run");
  fs::create_directory(installed.dir / "elsewhere");
  fs::create_symlink(installed.program(), installed.dir / "elsewhere/grapnel");
  const ProcessResult result = installed.run({"fit"}, {{"LD_LIBRARY_PATH", LIBRARY_DIRECTORY}},
                                             installed.dir / "elsewhere/grapnel");
  CHECK(result.output == "[fit]\n");
}

TEST_CASE("a missing grapnel-run is an error that says where it was searched") {
  const Installation installed;
  const ProcessResult result = installed.call({"fit", "--config", "run.json"});
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.error, Contains("'grapnel fit' needs the program grapnel-run") &&
                               Contains((installed.dir / "prefix/bin/grapnel-run").string()) &&
                               Contains("libexec/grapnel/grapnel-run"));
}

}  // namespace run_program_test
