#include <grapnel/host/store.h>

#include <sys/stat.h>

#include <chrono>
#include <filesystem>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/host/crash_note.h>

#include "catch.h"
#include "plugin_world.h"

namespace store_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
namespace fs = std::filesystem;

TEST_CASE("a library is kept under its SHA-256, readable by its owner only") {
  const PluginWorld world;
  Store store(world.directories);
  const StoredFile kept = store.put_library(examine(world.add_plugin("ema")));
  CHECK(kept.digest == hex(sha256_file(PLAIN_PLUGIN)));
  CHECK(kept.path == world.directories.data / "store" / (kept.digest + "-ema.so"));
  CHECK(test::read_file(kept.path) == test::read_file(PLAIN_PLUGIN));
  CHECK(fs::status(kept.path).permissions() == fs::perms::owner_read);
  CHECK(fs::status(store.directory()).permissions() == fs::perms::owner_all);
  CHECK(stored_file_damage(kept.path, kept.digest).empty());
  CHECK(store.holds(kept.digest, "ema.so"));
  CHECK_FALSE(store.holds(kept.digest, "other.so"));
}

TEST_CASE("a library stored twice is one file, and no temporary file remains") {
  const PluginWorld world;
  Store store(world.directories);
  const Candidate candidate = examine(world.add_plugin("ema"));
  const auto first = file_identity(store.put_library(candidate).path);
  CHECK(file_identity(store.put_library(candidate).path) == first);
  CHECK(std::distance(fs::directory_iterator(store.directory()), fs::directory_iterator()) == 1);
}

TEST_CASE("a file that was exchanged since it was examined is not kept") {
  const PluginWorld world;
  Store store(world.directories);
  const fs::path library = world.add_plugin("ema");
  const Candidate candidate = examine(library);
  test::change_library(library);
  CHECK_THROWS_WITH(store.put_library(candidate), Contains("changed while it was copied"));
  fs::remove(library);
  fs::create_symlink(PLAIN_PLUGIN, library);
  CHECK_THROWS_AS(store.put_library(candidate), Error);
  CHECK(fs::is_empty(store.directory()));
}

TEST_CASE("a copy that was changed, or that others can write, is noticed") {
  const PluginWorld world;
  Store store(world.directories);
  const StoredFile kept = store.put_library(examine(world.add_plugin("ema")));
  fs::permissions(kept.path, fs::perms{0600});
  test::change_library(kept.path);
  CHECK_THAT(stored_file_damage(kept.path, kept.digest),
             Contains("was changed") && Contains(kept.digest));
  // Enabling again mends it.
  CHECK(store.put_library(examine(world.plugins() / "ema.so")).digest == kept.digest);
  CHECK(stored_file_damage(kept.path, kept.digest).empty());
  fs::permissions(kept.path, fs::perms{0666});
  CHECK_THAT(stored_file_damage(kept.path, kept.digest), Contains("is writable by others"));
  fs::remove(kept.path);
  CHECK_THAT(stored_file_damage(kept.path, kept.digest), Contains("is missing"));
}

TEST_CASE("stored copies unused for 30 days are removed, and half-written ones") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  const EnabledPlugin enabled = world.enable("ema");
  const Store store(world.directories);
  const auto aged = [](const fs::path& file, int days) {
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(24 * days));
    return file;
  };
  const fs::path needed = aged(store.path_of(enabled.digest, "ema.so"), 400);
  const fs::path manifest = aged(store.path_of(enabled.manifest_digest, "plugin.json"), 400);
  const fs::path other = world.dir.write("data/store/README", "not a copy");
  aged(other, 400);
  const std::string digest(64, 'a');
  const auto copy = [&](const std::string& name, int days) {
    return aged(world.dir.write("data/store/" + name, "x"), days);
  };
  const fs::path unused = copy(digest + "-old.so", 31);
  const fs::path recent = copy(digest + "-new.so", 29);
  const fs::path half = copy(".tmp-0123", 2);
  const fs::path growing = copy(".tmp-4567", 0);
  world.add_plugin("zeta");
  world.enable("zeta");
  for (const fs::path& kept : {needed, manifest, other, recent, growing}) {
    INFO(kept);
    CHECK(fs::exists(kept));
  }
  CHECK_FALSE(fs::exists(unused));
  CHECK_FALSE(fs::exists(half));
  // Used again, it is young again.
  CHECK(Store(world.directories).put_library(examine(library)).path == needed);
  CHECK(fs::file_time_type::clock::now() - fs::last_write_time(needed) < std::chrono::hours(1));
  (void)disable_plugin("ema", world.directories);
  CHECK_FALSE(fs::exists(manifest));
}

TEST_CASE("what an interrupted enable left behind is removed by the next") {
  const PluginWorld world;
  world.add_plugin("ema");
  const fs::path half = world.dir.write("data/store/.tmp-put-0123", "x");
  for (const char* directory : {"data", "data/store"}) {
    fs::permissions(world.dir / directory, fs::perms::owner_all);
  }
  const fs::path record = world.dir.write("config/.plugins.json.tmp-4194305-0-1", "x");
  fs::permissions(world.dir / "config", fs::perms::owner_all);
  world.enable("ema");
  CHECK_FALSE(fs::exists(half));
  CHECK_FALSE(fs::exists(record));
}

TEST_CASE("locks of store and record are their owner's alone, whatever the umask") {
  const PluginWorld world;
  const fs::path store_lock = world.directories.data / "store.lock";
  const fs::path record_lock = world.directories.config / "plugins.json.lock";
  const auto mode = [](const fs::path& file) { return fs::status(file).permissions(); };
  const mode_t before = umask(0);
  world.add_plugin("ema");
  fs::permissions(world.plugins(), fs::perms{0755});
  for (const char* file : {"ema.so", "ema.grapnel.json"}) {
    fs::permissions(world.plugins() / file, fs::perms{0644});
  }
  world.enable("ema");
  umask(before);
  CHECK(mode(store_lock) == fs::perms{0600});
  CHECK(mode(record_lock) == fs::perms{0600});
  umask(0);
  const fs::path notes = make_crash_notes_directory(world.directories);
  umask(before);
  for (const fs::path& directory : {notes, world.directories.cache, world.directories.data}) {
    CHECK(mode(directory) == fs::perms{0700});
  }
  fs::permissions(store_lock, fs::perms{0666});  // of an earlier release
  fs::permissions(record_lock, fs::perms{0666});
  world.enable("ema");
  CHECK(mode(store_lock) == fs::perms{0600});
  CHECK(mode(record_lock) == fs::perms{0600});
}

TEST_CASE("many files are stored with one wait for the disk") {
  const PluginWorld world;
  const Store store(world.directories);
  StoreWriter writer(store, StoreSync::at_end);
  std::vector<StoredFile> files;
  for (int i = 0; i < 20; ++i) files.push_back(writer.put_text(std::to_string(i), "plugin.json"));
  writer.finish();
  for (const StoredFile& file : files) {
    CHECK_FALSE(file.was_intact);
    CHECK(stored_file_damage(file.path, file.digest).empty());
  }
  CHECK(writer.put_text("7", "plugin.json").was_intact);
}

TEST_CASE("a store that others can write is not used") {
  const PluginWorld world;
  fs::create_directories(world.directories.data / "store");
  fs::permissions(world.directories.data / "store", fs::perms{0777});
  Store store(world.directories);
  CHECK_THROWS_WITH(store.put_text("{}", "plugin.json"), Contains("chmod go-w"));
}

TEST_CASE("a store behind a symbolic link is used at the link's target") {
  const PluginWorld world;
  fs::create_directory(world.dir / "disk");
  fs::create_directory_symlink(world.dir / "disk", world.dir / "home");
  Store store(world.dir / "home/data/store");
  const StoredFile kept = store.put_library(examine(world.add_plugin("ema")));
  CHECK(kept.path.parent_path() == world.dir / "disk/data/store");
  CHECK(stored_file_damage(kept.path, kept.digest).empty());
  CHECK(Store(world.dir / "home/data/store").path_of(kept.digest, "ema.so") == kept.path);
  // What the link leads to is what is checked.
  fs::permissions(world.dir / "disk", fs::perms{0777});
  CHECK_THAT(stored_file_damage(kept.path, kept.digest), Contains("disk' is writable by others"));
}

TEST_CASE("names and digests that come from files cannot lead out of the store") {
  const Store store(fs::path("/store"));
  const std::string digest(64, 'a');
  CHECK(store.path_of(digest, "ema.so") == fs::path("/store/" + digest + "-ema.so"));
  for (const char* name : {"", "../ema.so", "/etc/passwd", "a/b.so", "..", "a\nb"}) {
    INFO(name);
    CHECK_THROWS_AS(store.path_of(digest, name), std::invalid_argument);
  }
  CHECK_THROWS_AS(store.path_of("../" + digest, "ema.so"), std::invalid_argument);
  CHECK_THROWS_AS(store.path_of(std::string(64, 'A'), "ema.so"), std::invalid_argument);
}

}  // namespace store_test
