// Extension plugin: what an instance is told about itself, and its own directory.
#include <grapnel/ext/plugin.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <grapnel/base/error.h>
#include <grapnel/host/plugin_data.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "temp_dir.h"

namespace identity_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

namespace {

// The user's data directory, for a scope.
class DataHome {
 public:
  explicit DataHome(const fs::path& path) {
    if (const char* before = std::getenv(kName)) before_ = before;
    setenv(kName, path.c_str(), 1);
  }
  ~DataHome() { before_ ? setenv(kName, before_->c_str(), 1) : unsetenv(kName); }
  DataHome(const DataHome&) = delete;
  DataHome& operator=(const DataHome&) = delete;

 private:
  static constexpr const char* kName = "XDG_DATA_HOME";
  std::optional<std::string> before_;
};

// Calls `ask` in create, init and destroy of an instance.
template <class Ask>
void with_instance(const bridge::PluginCallbackOptions& options, Ask ask) {
  InProcessPlugin plugin;
  plugin.create = plugin.init = plugin.destroy = [&](const Caller& caller) {
    ask(caller, caller.table<grapnel_plugin_services>(GRAPNEL_EXT_PLUGIN));
    return GRAPNEL_OK;
  };
  plugin.make(options);
}

}  // namespace

TEST_CASE("an instance is told who it is, whose files it came with, and which LibTorch runs") {
  int asked = 0;
  with_instance({.name = "slow", .origin_directory = "/plugins/here"},
                [&](const Caller& caller, const grapnel_plugin_services& table) {
                  const grapnel_plugin_info* info = nullptr;
                  REQUIRE(table.info(caller.host, &info) == GRAPNEL_OK);
                  CHECK(info->struct_size == sizeof *info);
                  CHECK(info->reserved == 0);
                  CHECK(text(info->id) == "probe");
                  CHECK(text(info->version) == "1.2.3");
                  CHECK(text(info->callback) == "probe");
                  CHECK(text(info->label) == "slow");
                  CHECK(text(info->origin_directory) == "/plugins/here");
                  CHECK_THAT(text(info->libtorch_version),
                             Catch::Matches("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
                  ++asked;
                });
  CHECK(asked == 3);
  with_instance({}, [](const Caller& caller, const grapnel_plugin_services& table) {
    const grapnel_plugin_info* info = nullptr;
    REQUIRE(table.info(caller.host, &info) == GRAPNEL_OK);
    CHECK(info->label.size == 0);
    CHECK(info->origin_directory.size == 0);
    CHECK(table.info(caller.host, nullptr) == GRAPNEL_INVALID_ARGUMENT);
  });
}

TEST_CASE("a plugin has a directory of its own, for its user alone, which stays") {
  const TempDir directory;
  const DataHome data(directory / "data");
  std::string first;
  with_instance({}, [&](const Caller& caller, const grapnel_plugin_services& table) {
    grapnel_string path{};
    REQUIRE(table.data_directory(caller.host, &path) == GRAPNEL_OK);
    if (first.empty()) std::ofstream(fs::path(text(path)) / "cache") << "kept";
    first = text(path);
    CHECK(fs::path(first).is_absolute());
    CHECK(fs::exists(fs::path(first) / "cache"));
    CHECK((fs::status(first).permissions() & fs::perms::mask) == fs::perms::owner_all);
  });
  with_instance({.name = "other"}, [&](const Caller& caller, const grapnel_plugin_services& table) {
    grapnel_string path{};
    REQUIRE(table.data_directory(caller.host, &path) == GRAPNEL_OK);
    CHECK(text(path) == first);
  });
}

TEST_CASE("a data directory that others may write to, or that is none, is refused") {
  const TempDir directory;
  const DataHome data(directory / "data");
  const auto directories = host::HostDirectories::of_this_user();
  const fs::path made = host::make_plugin_data_directory("probe", directories);
  const auto refused = [] {
    with_instance({}, [](const Caller& caller, const grapnel_plugin_services& table) {
      grapnel_string path{};
      CHECK(table.data_directory(caller.host, &path) == GRAPNEL_PENDING);
      CHECK(path.data == nullptr);
    });
  };
  fs::permissions(made, fs::perms::all);
  CHECK_THROWS_AS(host::make_plugin_data_directory("probe", directories), PluginError);
  refused();
  fs::remove(made);
  std::ofstream(made) << "a file";
  CHECK_THROWS_AS(host::make_plugin_data_directory("probe", directories), IoError);
  refused();
}

}  // namespace identity_test
