// Real plugins that crash, hang, end the process or lie are tried out in a child process.
#include <grapnel/host/probe.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/process.h>

#include "catch.h"
#include "plugin_world.h"

namespace probe_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
using End = ProbeResult::End;
namespace fs = std::filesystem;

namespace {

ProbeResult probe(const PluginWorld& world, const fs::path& library, double deadline_seconds = 60) {
  return probe_plugin(examine(library), world.directories,
                      {.program = GRAPNEL, .deadline_seconds = deadline_seconds});
}

ProbeResult probe_hostile(const std::string& name, double deadline_seconds = 60) {
  const PluginWorld world;
  return probe(world, fs::path(HOSTILE_DIRECTORY) / name / (name + ".so"), deadline_seconds);
}

}  // namespace

TEST_CASE("a good plugin passes, and its hooks and extensions are known") {
  const PluginWorld world;
  const ProbeResult result = probe(world, NAN_GUARD);
  INFO(result.cause);
  CHECK(result.ok());
  REQUIRE(result.callbacks.size() == 1);
  const CallbackProbe& callback = result.callbacks.front();
  CHECK(callback.callback == "nan_guard");
  CHECK(callback.failure.empty());
  CHECK(std::find(callback.hooks.begin(), callback.hooks.end(), "on_train_batch_end") !=
        callback.hooks.end());
  CHECK(std::find(callback.extensions.begin(), callback.extensions.end(), "grapnel.params/1") !=
        callback.extensions.end());
  CHECK(result.changed.empty());
}

TEST_CASE("create, init and destroy are each called once, in this order") {
  const ProbeResult result = probe_hostile("witness");  // which ends the process otherwise
  INFO(result.cause << result.error_tail);
  CHECK(result.ok());
  CHECK(result.callbacks.at(0).hooks.size() == GRAPNEL_HOOK_COUNT_KNOWN);
}

TEST_CASE(
    "a plugin that crashes while loading is reported with the signal and the end of standard "
    "error") {
  ProbeResult result = probe_hostile("load_crashes");
  CHECK(result.end == End::crashed);
  CHECK(result.signal == SIGSEGV);
  CHECK_THAT(result.cause, Contains("SIGSEGV") && Contains("while loading it"));
  result = probe_hostile("load_aborts");
  CHECK(result.signal == SIGABRT);
  CHECK_THAT(result.error_tail, Contains("load_aborts: about to abort"));
}

TEST_CASE("a plugin that hangs is reported after the deadline") {
  const ProbeResult result = [] {
    for (double deadline = 0.2;; deadline *= 4) {
      try {
        return probe_hostile("load_hangs", deadline);
      } catch (const Error&) {  // it ended before the plugin was reached
        if (deadline > 100) throw;
      }
    }
  }();
  CHECK(result.end == End::hung);
  CHECK_THAT(result.cause, Contains("loading it did not finish within"));
}

TEST_CASE("a plugin that ends the process fails the probe, whatever its exit code") {
  const ProbeResult result = probe_hostile("load_exits");
  CHECK(result.end == End::exited);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.cause, Contains("exited with 0 while loading it"));
}

TEST_CASE("the probe reports what a callback refuses or gets wrong") {
  const auto cause = [](const std::string& name) {
    const ProbeResult result = probe_hostile(name);
    CHECK(result.end == End::failed);
    return result.cause;
  };
  CHECK_THAT(cause("constructor_throws"),
             Contains("create failed: ") && Contains("not built today"));
  CHECK_THAT(cause("create_fails_silently"), Contains("gave no reason"));
  CHECK_THAT(cause("create_makes_nothing"), Contains("returned OK but no instance"));
  CHECK_THAT(cause("init_refuses"), Contains("init failed: this plugin wants a moon of cheese"));
  CHECK_THAT(cause("destroy_fails"), Contains("destroy failed"));
  CHECK_THAT(cause("instance_short"), Contains("its instance has"));
  CHECK_THAT(cause("instance_without_destroy"), Contains("no function 'init'"));
  CHECK_THAT(cause("hooks_null"), Contains("hooks is NULL"));
  CHECK_THAT(cause("hook_twice"), Contains("lists setup twice"));
  CHECK_THAT(cause("hook_without_function"), Contains("has no function"));
  CHECK_THAT(cause("hook_unknown_required"), Contains("it uses hook 9999"));
  CHECK_THAT(cause("entry_short"), Contains("has 4 bytes"));
  CHECK(probe_hostile("hook_unknown_optional").ok());
}

TEST_CASE("a plugin that changes the process fails the probe") {
  ProbeResult result = probe_hostile("load_changes_process");
  CHECK(result.end == End::failed);
  CHECK_THAT(result.cause, Contains("the locale") && Contains("the handler of SIGINT") &&
                               Contains("the working directory") && Contains("GRAPNEL_HOSTILE"));
  result = probe_hostile("create_changes_process");
  CHECK_THAT(result.cause, Contains("the handler of SIGTERM"));
}

TEST_CASE("a probe notices forks, closed and replaced descriptors, limits and blocked signals") {
  const ProbeResult result = probe_hostile("create_changes_descriptors");
  INFO(result.error_tail);
  CHECK(result.end == End::failed);
  CHECK_FALSE(result.stops_trainings());
  for (const char* what :
       {"the descriptor 0 (standard input)", "the descriptor 1 (standard output)",
        "the number of processes (it forked)", "the limit of processes", "the blocked signals"}) {
    INFO(what);
    CHECK_THAT(result.cause, Contains(what));
  }
}

TEST_CASE("a probe's result is recorded per library, and another build is probed again") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  const ProbeResult result = probe(world, library);
  const auto recorded = recorded_probe(result.digest, world.directories);
  REQUIRE(recorded);
  CHECK(to_json(*recorded) == to_json(result));
  CHECK(recorded_probe(std::string(64, 'a'), world.directories) == std::nullopt);
  CHECK(recorded_probe("../../x", world.directories) == std::nullopt);
  std::ofstream(world.directories.cache / "probes" / (result.digest + ".json")) << "damaged";
  CHECK(recorded_probe(result.digest, world.directories) == std::nullopt);
}

TEST_CASE("a probe's record is valid only for a host with the same extensions") {
  const PluginWorld world;
  const ProbeResult result = probe(world, world.add_plugin("ema"));
  const fs::path file = world.directories.cache / "probes" / (result.digest + ".json");
  ConfigValue record = read_json_file(file);
  std::string host = record.at("host").as_string();
  const std::string& extension = offered_extensions().front();
  REQUIRE(host.find(extension) != std::string::npos);
  host.erase(host.find(extension), extension.size());
  record.set("host", host);
  world.dir.write(file, write_json(record));
  CHECK(recorded_probe(result.digest, world.directories) == std::nullopt);
}

TEST_CASE("a copy that cannot be used is not the plugin's fault, and nothing is recorded") {
  const PluginWorld world;
  const Candidate candidate = examine(world.add_plugin("ema"));
  const fs::path program =
      world.dir.write("program", "#!/bin/sh\nchmod 0666 \"$2\"\nexec '" GRAPNEL "' \"$@\"\n");
  fs::permissions(program, fs::perms::owner_all);
  CHECK_THROWS_WITH(
      probe_plugin(candidate, world.directories, {.program = program, .deadline_seconds = 60}),
      Contains("the probe could not start") && Contains("is writable by others"));
  CHECK(recorded_probe(hex(sha256_file(candidate.library)), world.directories) == std::nullopt);
}

TEST_CASE("a plugin that is tried gets so much memory and no more") {
  const ProbeResult result = probe_hostile("create_takes_memory");
  CHECK_FALSE(result.ok());
#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // whose malloc() ends the process
  CHECK_THAT(result.cause, Contains("there is no memory for the table"));
#endif
}

TEST_CASE("a process that a plugin detaches is ended with the probe") {
  const ProbeResult result = probe_hostile("create_leaves_process");
  INFO(result.cause << result.error_tail);
  REQUIRE(result.error_tail.starts_with("left "));
  CHECK_FALSE(process_exists(std::stoll(result.error_tail.substr(5))));
}

TEST_CASE("only what would end a training stops one") {
  const auto stops = [](const std::string& name) { return probe_hostile(name).stops_trainings(); };
  for (const char* name : {"load_crashes", "load_exits", "init_refuses", "entry_short"}) {
    INFO(name);
    CHECK(stops(name));
  }
  for (const char* name : {"witness", "create_changes_process", "destructor_crashes"}) {
    INFO(name);
    CHECK_FALSE(stops(name));
  }
}

TEST_CASE("probes that fail are found without reading those that passed") {
  const PluginWorld world;
  const fs::path bad = fs::path(HOSTILE_DIRECTORY) / "load_crashes/load_crashes.so";
  (void)probe(world, world.add_plugin("ema"));
  CHECK(recorded_failures(world.directories).empty());
  const ProbeResult result = probe(world, bad);
  const auto failures = recorded_failures(world.directories);
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].digest == result.digest);
  CHECK(failures[0].step == "loading it");
}

TEST_CASE("what a probe left behind whose process was killed is removed by the next") {
  const PluginWorld world;
  const auto left = [&](const std::string& name, int minutes) {
    const fs::path directory = world.directories.cache / name;
    fs::create_directories(directory / "store");
    fs::last_write_time(directory,
                        fs::file_time_type::clock::now() - std::chrono::minutes(minutes));
    return directory;
  };
  const fs::path stale = left("probe-4194305-0-1", 20);  // more than any process's id
  const fs::path young = left("probe-4194305-0-2", 1);
  const fs::path running = left("probe-" + std::to_string(process_id()) + "-0-3", 20);
  const fs::path other = left("probe-x-0-4", 20);
  fs::permissions(world.directories.cache, fs::perms::owner_all);
  (void)probe(world, world.add_plugin("ema"));
  CHECK_FALSE(fs::exists(stale));
  for (const fs::path& kept : {young, running, other}) CHECK(fs::exists(kept));
}

TEST_CASE("a probe leaves nothing but its record") {
  const PluginWorld world;
  (void)probe(world, world.add_plugin("ema"));
  CHECK(std::distance(fs::directory_iterator(world.directories.cache), fs::directory_iterator()) ==
        1);
  CHECK_FALSE(fs::exists(world.directories.data));
}

TEST_CASE("a manifest that was exchanged since it was examined is not probed") {
  const PluginWorld world;
  const Candidate candidate = examine(world.add_plugin("ema"));
  world.dir.write("plugins/ema.grapnel.json", test::manifest_text("ema", {.version = "6.6.6"}));
  CHECK_THROWS_WITH(
      probe_plugin(candidate, world.directories, {.program = GRAPNEL}),
      Contains("the manifest of plugin 'ema' 1.0.0") && Contains("changed while it was read"));
}

TEST_CASE("a refused plugin is not run at all") {
  const PluginWorld world;
  CHECK_THROWS_WITH(probe(world, world.add_plugin("ema", {.abi_major = 9})),
                    Contains("cannot probe plugin 'ema'") && Contains("ABI 9."));
}

TEST_CASE("a child that cannot probe is not the plugin's fault") {
  const PluginWorld world;
  const Candidate candidate = examine(world.add_plugin("ema"));
  CHECK_THROWS_WITH(probe_plugin(candidate, world.directories, {.program = "/bin/false"}),
                    Contains("the probe could not start") && Contains("/bin/false"));
  CHECK_THROWS_AS(probe_plugin(candidate, world.directories, {.program = "/nowhere"}), IoError);
}

}  // namespace probe_test
