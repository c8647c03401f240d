// Notes are read as any linker may have laid them out, and as nobody would.
#include <grapnel/note.h>

#include <cstring>
#include <string>

#include <grapnel/base/error.h>
#include <grapnel/host/manifest.h>

#include "catch.h"
#include "library_formats.h"

namespace manifest_note_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;

namespace {

std::string word(std::uint32_t value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}

std::string note(const std::string& name, std::uint32_t type, const std::string& text,
                 std::size_t alignment = 4) {
  std::string bytes = word(static_cast<std::uint32_t>(name.size())) +
                      word(static_cast<std::uint32_t>(text.size())) + word(type);
  for (const std::string& part : {name, text}) {
    bytes += part;
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
  }
  return bytes;
}

const std::string our_name(GRAPNEL_NOTE_NAME, sizeof(GRAPNEL_NOTE_NAME));

std::string manifest_note(const std::string& text, std::size_t alignment = 4) {
  return note(our_name, GRAPNEL_NOTE_TYPE, text, alignment);
}

std::optional<std::string> find(const std::string& notes) {
  return find_manifest_note(std::as_bytes(std::span(notes)));
}

}  // namespace

TEST_CASE("the manifest is found among other notes") {
  const std::string build_id = note(std::string("GNU\0", 4), 3, "12345678901234567890");
  CHECK(find(build_id + manifest_note("{}") + build_id) == "{}");
  CHECK(find(manifest_note("{\"id\": 1}")) == "{\"id\": 1}");
  CHECK(find(build_id) == std::nullopt);
  CHECK(find("") == std::nullopt);
}

TEST_CASE("zeros between the ELF notes of two sections are skipped") {
  const std::string build_id = note(std::string("GNU\0", 4), 3, "1234");
  CHECK(find(build_id + std::string(12, '\0') + manifest_note("{}")) == "{}");
  CHECK(find(manifest_note("{}") + std::string(7, '\0')) == "{}");
}

TEST_CASE("an ELF note with another type or name is not the manifest's") {
  CHECK(find(note(our_name, GRAPNEL_NOTE_TYPE + 1, "{}")) == std::nullopt);
  CHECK(find(note(std::string("Grapnex\0", 8), GRAPNEL_NOTE_TYPE, "{}")) == std::nullopt);
  CHECK(find(note("Grapnel", GRAPNEL_NOTE_TYPE, "{}")) == std::nullopt);
}

TEST_CASE("a note that lies about its sizes is refused") {
  std::string lying = manifest_note("{}");
  lying.replace(4, 4, word(0xfffffff0));
  CHECK_THROWS_WITH(find(lying), Contains("the text of a note"));
  lying = manifest_note("{}");
  lying.replace(0, 4, word(0xffffffff));
  CHECK_THROWS_AS(find(lying), DataError);
}

TEST_CASE("a manifest over the limit, or a second one, is refused") {
  CHECK(find(manifest_note(std::string(max_manifest_bytes, ' '))).has_value());
  CHECK_THROWS_WITH(find(manifest_note(std::string(max_manifest_bytes + 1, ' '))),
                    Contains("at most 262144 are accepted"));
  CHECK_THROWS_WITH(find(manifest_note("{}") + manifest_note("{}")), Contains("two manifests"));
}

TEST_CASE("notes padded to 8 bytes may come before and after the manifest's") {
  const std::string property = note(std::string("GNU\0", 4), 5, "1234567890123456", 8);
  const std::string odd = note(std::string("GNU\0", 4), 5, "123456789012", 8);
  const std::string build_id = note(std::string("GNU\0", 4), 3, "12345678901234567890");
  CHECK(find(property + build_id + manifest_note("{}") + odd) == "{}");
  CHECK(find(odd + manifest_note("{}")) == "{}");
  CHECK(find(manifest_note("{}", 8) + property) == "{}");
}

}  // namespace manifest_note_test
