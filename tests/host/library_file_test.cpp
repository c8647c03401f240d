#include <grapnel/host/library_file.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include <grapnel/abi.h>
#include <grapnel/base/error.h>
#include <grapnel/host/manifest.h>
#include <grapnel/note.h>

#include "catch.h"
#include "temp_dir.h"

namespace library_file_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;

namespace {

LibraryFacts read(const std::string& content) {
  return read_library(std::as_bytes(std::span(content)));
}

template <class T>
void put(std::string& bytes, std::size_t offset, T value) {
  REQUIRE(offset + sizeof value <= bytes.size());
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

// A Windows DLL with nothing in it but a section .grapnel.
std::string make_dll(std::uint16_t machine, const std::string& manifest) {
  std::string bytes(0x200, '\0');
  bytes.replace(0, 2, "MZ");
  put<std::uint32_t>(bytes, 0x3c, 0x80);
  bytes.replace(0x80, 4, std::string("PE\0\0", 4));
  put<std::uint16_t>(bytes, 0x84, machine);
  put<std::uint16_t>(bytes, 0x86, 1);            // sections
  put<std::uint16_t>(bytes, 0x84 + 18, 0x2000);  // a library
  const std::size_t section = 0x84 + 20;
  bytes.replace(section, 8, ".grapnel");
  put<std::uint32_t>(bytes, section + 8, static_cast<std::uint32_t>(20 + manifest.size()));
  put<std::uint32_t>(bytes, section + 16, static_cast<std::uint32_t>(20 + manifest.size()));
  put<std::uint32_t>(bytes, section + 20, 0x200);
  std::string note(20, '\0');
  put<std::uint32_t>(note, 0, 8);
  put<std::uint32_t>(note, 4, static_cast<std::uint32_t>(manifest.size()));
  put<std::uint32_t>(note, 8, GRAPNEL_NOTE_TYPE);
  note.replace(12, 8, std::string(GRAPNEL_NOTE_NAME, 8));
  return bytes + note + manifest;
}

}  // namespace

TEST_CASE("a plugin's entry, manifest and dependencies are read from the file without loading it") {
  const LibraryFacts facts = read_library_file(NAN_GUARD);
  CHECK(facts.format == LibraryFormat::elf);
  CHECK(facts.unloadable.empty());
  REQUIRE(facts.manifest);
  CHECK(*facts.manifest == test::read_file(NAN_GUARD_MANIFEST));
  CHECK(facts.exports_entry(GRAPNEL_ABI_MAJOR));
  CHECK_FALSE(facts.exports_entry(GRAPNEL_ABI_MAJOR + 1));
  CHECK(facts.exported == std::vector<std::string>{GRAPNEL_PLUGIN_SYMBOL_NAME});
  CHECK(std::find(facts.needed.begin(), facts.needed.end(), "libc.so.6") != facts.needed.end());
  CHECK(libtorch_libraries(facts.needed).empty());
  CHECK_FALSE(facts.executable_stack);
  CHECK_FALSE(facts.text_relocations);
}

TEST_CASE("a plugin of another ABI major is recognized without loading it") {
  const LibraryFacts facts = read_library_file(OTHER_MAJOR);
  CHECK(facts.abi_majors == std::vector<std::int64_t>{99});
}

TEST_CASE("a library that is not a plugin has neither entry nor manifest") {
  const LibraryFacts facts = read_library_file(NO_PLUGIN);
  CHECK(facts.abi_majors.empty());
  CHECK_FALSE(facts.manifest);
  CHECK_FALSE(facts.exported.empty());
}

TEST_CASE("a library that is linked with LibTorch says so") {
  CHECK(libtorch_libraries(read_library_file(LINKS_LIBTORCH).needed) ==
        std::vector<std::string>{"libtorch_cpu.so"});
}

TEST_CASE("symbols that the loader unifies across libraries are found") {
  CHECK_FALSE(read_library_file(UNSEALED).unique.empty());
  CHECK(read_library_file(NAN_GUARD).unique.empty());
}

TEST_CASE("a library for another machine or system says for which") {
  std::string content = test::read_file(NAN_GUARD);
  put<std::uint16_t>(content, 18, 183);
  CHECK_THAT(read(content).unloadable, Contains("built for aarch64, this system is"));
  put<std::uint16_t>(content, 18, 9999);
  CHECK_THAT(read(content).unloadable, Contains("built for machine 9999"));
  content = test::read_file(NAN_GUARD);
  content[4] = 1;
  CHECK_THAT(read(content).unloadable, Contains("64-bit"));
  CHECK_THAT(read(make_dll(0x8664, "{}")).unloadable, Contains("built for Windows"));
  CHECK_THAT(read(std::string("\xcf\xfa\xed\xfe", 4) + std::string(60, '\0')).unloadable,
             Contains("built for macOS"));
}

TEST_CASE("the manifest in a Windows library is read") {
  const LibraryFacts facts = read(make_dll(0xaa64, R"({"id": "ema"})"));
  CHECK(facts.format == LibraryFormat::pe);
  CHECK(facts.machine == "aarch64");
  CHECK(facts.manifest == R"({"id": "ema"})");
}

TEST_CASE("a file that is not a shared library is refused, saying what it is") {
  const auto refusal = [](const std::string& content) {
    try {
      (void)read(content);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(refusal(""), Contains("it is empty"));
  CHECK_THAT(refusal("version https://git-lfs.github.com/spec/v1\n"),
             Contains("not a shared library; it starts with 'version https://"));
  CHECK_THAT(refusal(test::read_file("/proc/self/exe")), Contains("it is a program"));
  std::string object = test::read_file(NAN_GUARD);
  put<std::uint16_t>(object, 16, 1);
  CHECK_THAT(refusal(object), Contains("an object file"));
}

TEST_CASE("a library that is cut short anywhere is refused, or read without what is missing") {
  const std::string whole = test::read_file(PLAIN_PLUGIN);
  for (std::size_t size = 0; size < whole.size(); size += 61) {
    const std::string part = whole.substr(0, size);
    try {
      (void)read(part);
    } catch (const DataError&) {
    }
  }
  CHECK_THROWS_AS(read(whole.substr(0, 100)), DataError);
  CHECK_THROWS_WITH(read(whole.substr(0, 1000)), Contains("truncated"));
}

TEST_CASE("a library is read as the loader reads it, or refused") {
  const std::string whole = test::read_file(NAN_GUARD);
  const auto get = [&](std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, whole.data() + at, sizeof value);
    return value;
  };
  // Program headers of 56 bytes: type, flags, offset, address, physical address, size.
  std::size_t dynamic = 0, stack = 0, second_load = 0;
  int loads = 0;
  for (std::size_t at = get(32); dynamic == 0 || stack == 0 || second_load == 0; at += 56) {
    REQUIRE(at + 56 <= whole.size());
    const auto type = static_cast<std::uint32_t>(get(at));
    if (type == 2) dynamic = at;
    if (type == 0x6474e551) stack = at;
    if (type == 1 && ++loads == 2) second_load = at;
  }
  std::string forged = whole;  // another table in the file than in memory
  put<std::uint64_t>(forged, dynamic + 8, 0);
  CHECK(read(forged).needed == read(whole).needed);
  forged = whole;
  put<std::uint64_t>(forged, dynamic + 16, std::uint64_t{1} << 40);
  CHECK_THROWS_WITH(read(forged), Contains("is in no segment of the file"));
  forged = whole;
  put<std::uint32_t>(forged, stack, 2);
  CHECK_THROWS_WITH(read(forged), Contains("two dynamic sections"));
  forged = whole;  // mapped over the first
  put<std::uint64_t>(forged, second_load + 16, 0);
  CHECK_THROWS_WITH(read(forged), Contains("overlap"));
  forged = whole;
  const std::size_t table = get(dynamic + 8);
  for (const std::size_t entry : {0, 16}) put<std::uint64_t>(forged, table + entry, 5);
  CHECK_THROWS_WITH(read(forged), Contains("has the tag 0x5 twice"));
}

TEST_CASE("a small file cannot ask for much memory by naming one long name often") {
  // A segment at address 0 that is the whole file: headers, 40,000 times DT_NEEDED, a name of 640 KB.
  constexpr std::uint64_t entries = 40'000, name_size = 640'000;
  std::string file(64 + 2 * 56, '\0');
  const std::uint64_t dynamic_at = file.size(), names_at = dynamic_at + (entries + 2) * 16;
  file.replace(0, 6,
               std::string("\x7f"
                           "ELF\2\1",
                           6));
  put<std::uint16_t>(file, 16, 3);
  put<std::uint16_t>(file, 18, this_platform().ends_with("x86_64") ? 62 : 183);
  put<std::uint64_t>(file, 32, 64);
  put<std::uint16_t>(file, 54, 56);
  put<std::uint16_t>(file, 56, 2);
  put<std::uint32_t>(file, 64, 1);  // loaded
  put<std::uint64_t>(file, 64 + 32, names_at + name_size);
  put<std::uint32_t>(file, 120, 2);  // dynamic
  put<std::uint64_t>(file, 120 + 8, dynamic_at);
  put<std::uint64_t>(file, 120 + 16, dynamic_at);
  put<std::uint64_t>(file, 120 + 32, (entries + 2) * 16);
  const auto add_entry = [&](std::uint64_t tag, std::uint64_t value) {
    file.append(reinterpret_cast<const char*>(&tag), 8).append(reinterpret_cast<char*>(&value), 8);
  };
  add_entry(5, names_at);
  add_entry(10, name_size);
  for (std::uint64_t i = 0; i < entries; ++i) add_entry(1, 0);
  file += std::string(name_size - 1, 'x') + '\0';
  CHECK_THROWS_WITH(read(file), Contains("more than 67108864 bytes of names"));
}

TEST_CASE("a library with forged bytes never crashes its reader") {
  const std::uint32_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::string whole = test::read_file(PLAIN_PLUGIN);
  std::uniform_int_distribution<std::size_t> anywhere(0, whole.size() - 1);
  std::uniform_int_distribution<std::size_t> in_headers(0, 64 + 56 * 12);
  const std::uint64_t extremes[] = {0, 1, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, ~0ull};
  for (int round = 0; round < 20'000; ++round) {
    std::string forged = whole;
    for (int change = 0; change < 4; ++change) {
      const std::size_t offset = round % 2 ? in_headers(random) : anywhere(random);
      if (offset + 8 > forged.size()) continue;
      const std::uint64_t value =
          random() % 2 ? extremes[random() % 6] : std::uint64_t{random()} << (random() % 32);
      std::memcpy(forged.data() + offset, &value, 1u << (random() % 4));
    }
    try {
      (void)read(forged);
    } catch (const DataError&) {
    }
  }
  SUCCEED();
}

}  // namespace library_file_test
