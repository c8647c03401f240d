// What a process that ended without a word had noted of its plugins.
#include <grapnel/host/running_note.h>

#include <cstdint>
#include <string>

#include <grapnel/base/process.h>
#include <grapnel/host/crash_note.h>

#include "catch.h"
#include "plugin_world.h"

namespace running_note_test {

using namespace grapnel;
using namespace grapnel::host;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// As the process of that id leaves it: the address of what ran, and whose it is.
void leave_note(const PluginWorld& world, std::int64_t process) {
  const std::uint64_t address = 4711;
  std::string note(running_note_lines, '\0');
  for (int i = 0; i < 8; ++i)
    note[static_cast<std::size_t>(i)] = static_cast<char>(address >> 8 * i);
  note += "4711\tkeys\t1.0.0\tkeys\n";
  const auto notes = make_crash_notes_directory(world.directories);
  world.dir.write(notes / (".running-" + std::to_string(process)), note);
}

}  // namespace

TEST_CASE("a note of a process that had this one's number is a former process's") {
  const PluginWorld world;
  leave_note(world, process_id());
  read_running_notes(world.directories);
  const auto note = read_crash_note("keys", world.directories);
  REQUIRE(note.has_value());
  CHECK_THAT(note->what, Contains("was in its callback 'keys' when the process ended"));
}

TEST_CASE("a note of a process that runs is left alone") {
  const PluginWorld world;
  leave_note(world, 1);
  read_running_notes(world.directories);
  CHECK_FALSE(read_crash_note("keys", world.directories).has_value());
  CHECK(std::filesystem::exists(crash_notes_directory(world.directories) / ".running-1"));
}

}  // namespace running_note_test
