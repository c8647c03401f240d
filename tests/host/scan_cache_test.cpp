// The cache of descriptions saves time and never changes an answer.
#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include <grapnel/base/digest.h>
#include <grapnel/host/discovery.h>

#include "catch.h"
#include "descriptions.h"
#include "ordinary_user.h"
#include "plugin_world.h"
#include "scan_cache.h"

namespace scan_cache_test {

using namespace grapnel;
using namespace grapnel::host;
using grapnel::test::PluginWorld;
namespace fs = std::filesystem;

namespace {

fs::path cache_file(const PluginWorld& world) {
  return world.directories.cache / "plugins.cache";
}

std::string version_found(const PluginWorld& world) {
  const Discovery discovery = discover(world.discovery());
  REQUIRE(discovery.candidates.size() == 1);
  return discovery.candidates.front().summary.version;
}

// The cache leaves out files that changed within the last moments.
void let_files_age() {
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
}

// Writes the cache with a checksum that fits.
void write_sealed(const PluginWorld& world, std::string content) {
  content.resize(content.size() - sizeof(std::uint64_t));
  const std::uint64_t checksum = xxh3_64(std::as_bytes(std::span(content)));
  content.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  std::ofstream(cache_file(world), std::ios::binary) << content;
}

// Says "9.9.9" instead of "1.0.0": whoever answers 9.9.9 read the cache.
void mark_cache(const PluginWorld& world) {
  std::string content = test::read_file(cache_file(world));
  const std::size_t at = content.find("1.0.0");
  REQUIRE(at != std::string::npos);
  content.replace(at, 5, "9.9.9");
  write_sealed(world, std::move(content));
}

// Writes a file without changing its time of modification.
void keep_times(const fs::path& file, const std::string& content) {
  struct stat before {};
  REQUIRE(stat(file.c_str(), &before) == 0);
  std::ofstream(file, std::ios::binary) << content;
  const timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
}

// Another value in every described member, however deep.
template <class T>
void fill(T& value, int& counter) {
  ++counter;
  if constexpr (Described<T>) {
    for_each_member(value, [&](std::string_view, auto& member) { fill(member, counter); });
  } else if constexpr (std::is_same_v<T, bool>) {
    value = true;
  } else if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(1);
  } else if constexpr (std::is_arithmetic_v<T>) {
    value = static_cast<T>(counter);
  } else if constexpr (std::is_assignable_v<T&, std::string>) {
    value = "text " + std::to_string(counter);
  } else {
    value.resize(2);
    for (auto& item : value) fill(item, counter);
  }
}

}  // namespace

TEST_CASE("the scan cache restores every member of a record") {
  const test::TempDir dir;
  int counter = 0;
  Candidate candidate;
  fill(candidate, counter);
  candidate.manifest_file.clear();  // else the library would be looked at
  {
    ScanCache cache(dir.path());
    cache.store("/plugins/ema.so", {.candidate = candidate});
    cache.save();
  }
  const auto found = ScanCache(dir.path()).find("/plugins/ema.so", candidate.identity);
  REQUIRE(found);
  CHECK(to_json(*found) == to_json(candidate));
  FileIdentity other = candidate.identity;
  ++other.changed_ns;
  CHECK_FALSE(ScanCache(dir.path()).find("/plugins/ema.so", other));
}

TEST_CASE("a cached library that became unreadable is examined again and refused") {
  const PluginWorld world;
  const fs::path below = world.plugins() / "below";
  fs::create_directory(below);
  fs::rename(world.add_plugin("ema"), below / "ema.so");
  world.dir.write("plugins/ema.grapnel.json",
                  test::manifest_text("ema", {.members = R"("library": "below/ema.so",)"}));
  const test::OrdinaryUser user(world.dir.path());
  let_files_age();
  CHECK(version_found(world) == "1.0.0");
  fs::permissions(below, fs::perms{0000});
  const Discovery discovery = discover(world.discovery());
  fs::permissions(below, fs::perms{0755});
  REQUIRE(discovery.candidates.size() == 1);
  CHECK_THAT(discovery.candidates[0].refused, Catch::Contains("cannot look at"));
}

TEST_CASE("the scan cache depends on the host's version and its extensions") {
  const PluginWorld world;
  world.add_plugin("ema");
  let_files_age();
  (void)version_found(world);
  mark_cache(world);
  CHECK(version_found(world) == "9.9.9");
  std::string content = test::read_file(cache_file(world));
  for (const std::string& extension : offered_extensions()) {
    const std::size_t at = content.find(extension);
    REQUIRE(at != std::string::npos);
    content[at + extension.size() - 1] = '9';  // another host's: of a later version
  }
  write_sealed(world, content);
  CHECK(version_found(world) == "1.0.0");
}

TEST_CASE("a second scan of unchanged files is answered from the cache") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  let_files_age();
  CHECK(version_found(world) == "1.0.0");
  mark_cache(world);
  CHECK(version_found(world) == "9.9.9");
  DiscoveryOptions options = world.discovery();
  options.use_cache = false;
  CHECK(discover(options).candidates.front().summary.version == "1.0.0");
  fs::permissions(library, fs::perms{0700});  // changes the inode
  CHECK(version_found(world) == "1.0.0");
}

TEST_CASE("files that changed within the last moments are not cached") {
  const PluginWorld world;
  world.add_plugin("ema");
  CHECK(version_found(world) == "1.0.0");
  // Too young then, so looked at again now, and kept since they are old enough.
  let_files_age();
  CHECK(version_found(world) == "1.0.0");
  mark_cache(world);
  CHECK(version_found(world) == "9.9.9");
}

TEST_CASE("a manifest that changed is read again, even with the same size and mtime") {
  const PluginWorld world;
  world.add_plugin("ema");
  let_files_age();
  CHECK(version_found(world) == "1.0.0");
  keep_times(world.plugins() / "ema.grapnel.json",
             test::manifest_text("ema", {.version = "2.0.0"}));
  CHECK(version_found(world) == "2.0.0");
  let_files_age();
  CHECK(version_found(world) == "2.0.0");
  CHECK(version_found(world) == "2.0.0");
}

TEST_CASE("a library that vanished or was exchanged below its manifest is noticed") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  let_files_age();
  CHECK(discover(world.discovery()).candidates.front().usable());
  fs::remove(library);
  CHECK_FALSE(discover(world.discovery()).candidates.front().usable());
  fs::copy_file(NO_PLUGIN, library);
  CHECK_FALSE(discover(world.discovery()).candidates.front().usable());
}

TEST_CASE("a damaged, foreign or unreadable scan cache only costs time") {
  const PluginWorld world;
  world.add_plugin("ema");
  let_files_age();
  (void)version_found(world);
  const std::string good = test::read_file(cache_file(world));
  for (std::size_t i = 0; i < good.size(); i += 7) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    std::ofstream(cache_file(world), std::ios::binary) << damaged;
    CHECK(version_found(world) == "1.0.0");
  }
  for (const std::string& content :
       {std::string(), std::string("x"), good.substr(0, good.size() / 2), good + "more",
        std::string(100, '\xff')}) {
    std::ofstream(cache_file(world), std::ios::binary) << content;
    CHECK(version_found(world) == "1.0.0");
  }
  fs::remove(cache_file(world));
  fs::create_directory(cache_file(world));
  CHECK(version_found(world) == "1.0.0");
}

TEST_CASE("refusals are cached too, until their cause is gone") {
  const PluginWorld world;
  world.add_plugin("ema", {.abi_major = 9});
  let_files_age();
  CHECK_FALSE(discover(world.discovery()).candidates.front().usable());
  CHECK_FALSE(discover(world.discovery()).candidates.front().usable());
  world.add_plugin("ema");
  CHECK(discover(world.discovery()).candidates.front().usable());
}

}  // namespace scan_cache_test
