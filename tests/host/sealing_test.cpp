#include <grapnel/host/discovery.h>
#include <grapnel/host/sealing.h>

#include <filesystem>
#include <string>

#include "catch.h"
#include "temp_dir.h"

namespace sealing_test {

using namespace grapnel::host;
using Catch::Contains;

namespace {

std::string found(const LibraryFacts& facts, const std::string& name) {
  for (const SealingCheck& check : check_sealing(facts)) {
    if (check.name == name) {
      CHECK(check.ok == check.found.empty());
      return check.found;
    }
  }
  FAIL("there is no check '" << name << "'");
  return {};
}

}  // namespace

TEST_CASE("a plugin made by grapnel_add_plugin() is sealed") {
  for (const SealingCheck& check : check_sealing(read_library_file(NAN_GUARD))) {
    INFO(check.name << ": " << check.found);
    CHECK(check.ok);
  }
}

TEST_CASE("a plugin linked as an ordinary library is reported with what leaks") {
  const LibraryFacts facts = read_library_file(UNSEALED);
  CHECK_THAT(found(facts, "exports only its entry"), Contains("version script"));
  CHECK_THAT(found(facts, "has no unique symbols"), Contains("-fno-gnu-unique"));
  CHECK_THAT(found(facts, "brings its own C++ runtime"),
             Contains("'libstdc++.so.6'") && Contains("-static-libstdc++"));
}

TEST_CASE("a plugin that is linked with LibTorch shows it") {
  CHECK_THAT(found(read_library_file(LINKS_LIBTORCH), "needs no LibTorch"),
             Contains("'libtorch_cpu.so'") && Contains("grapnel.aten"));
}

TEST_CASE("every kind of leak in a plugin's sealing is named") {
  LibraryFacts facts;
  facts.undefined = {"_ZN2at4_ops3add4callERKNS_6TensorES4_RKN3c106ScalarE", "malloc"};
  CHECK_THAT(found(facts, "needs no LibTorch symbol"), Contains("'_ZN2at4_ops3add"));
  facts.search_paths = {"$ORIGIN"};
  CHECK_THAT(found(facts, "finds its libraries anywhere"), Contains("'$ORIGIN'"));
  facts.needed = {"libc.so.6", "sub/liba.so", "$LIB.so"};
  facts.loading_instructions = {"DT_AUDIT libspy.so"};
  CHECK_THAT(found(facts, "needs no library by a path"),
             Contains("'sub/liba.so', '$LIB.so' and 'DT_AUDIT libspy.so'"));
  facts.text_relocations = true;
  CHECK_THAT(found(facts, "has no text relocations"), Contains("-fPIC"));
  facts.executable_stack = true;
  CHECK_THAT(found(facts, "has no executable stack"), Contains("noexecstack"));
}

TEST_CASE("a library that makes the loader load something by a path is refused when it is found") {
  const auto refused = [](const std::string& name) {
    return examine(std::filesystem::path(HOSTILE_DIRECTORY) / name / (name + ".so")).refused;
  };
  CHECK_THAT(refused("needs_by_path"), Contains("it needs the library '") &&
                                           Contains("by a path (DT_NEEDED)") &&
                                           Contains("could change unseen"));
  CHECK_THAT(refused("searches_origin"), Contains("it searches libraries in '$ORIGIN'"));
  CHECK_THAT(refused("searches_by_rpath"), Contains("it searches libraries in '/opt/plugins'"));
  CHECK_THAT(refused("needs_relative"),
             Contains("it needs the library 'sub/libhostile_relative.so'"));
  CHECK_THAT(refused("loads_auditor"), Contains("(DT_AUDIT libspy.so)"));
  CHECK_THAT(refused("filters_library"), Contains("(DT_FILTER libhostile_missing.so.7)"));
  CHECK_THAT(refused("helps_library"), Contains("(DT_AUXILIARY libhostile_missing.so.7)"));
  CHECK(refused("unsealed").empty());
}

TEST_CASE("a library's name that the loader expands to a path is refused too") {
  const grapnel::test::TempDir dir;
  const std::string unexpanded = HOSTILE_DIRECTORY "/needs_expanded/needs_expanded.so";
  CHECK(examine(unexpanded).refused.empty());
  std::string bytes = grapnel::test::read_file(unexpanded);
  const std::size_t name = bytes.find("%LIB.so");
  REQUIRE(name != std::string::npos);
  bytes[name] = '$';
  CHECK_THAT(examine(dir.write("needs_expanded.so", bytes)).refused,
             Contains("it needs the library '$LIB.so' by a path (DT_NEEDED)"));
}

TEST_CASE("what a library is linked with besides the C library and the runtimes is told") {
  LibraryFacts facts;
  facts.needed = {"libc.so.6",       "libm.so.6",   "libdl.so.2",
                  "libpthread.so.0", "librt.so.1",  "ld-linux-x86-64.so.2",
                  "libgcc_s.so.1",   "libz.so.1",   "libstdc++.so.6",
                  "libcrypto.so.3",  "libmvec.so.1"};
  CHECK(linked_libraries(facts) ==
        std::vector<std::string>{"libz.so.1", "libcrypto.so.3", "libmvec.so.1"});
  CHECK(linked_libraries(read_library_file(LINKS_LIBTORCH)) ==
        std::vector<std::string>{"libtorch_cpu.so"});
}

TEST_CASE("a library that can call LibTorch by itself is known") {
  const auto reaches = [](std::vector<std::string> needed, std::vector<std::string> undefined) {
    LibraryFacts facts;
    facts.needed = std::move(needed);
    facts.undefined = std::move(undefined);
    return may_reach_libtorch(facts);
  };
  CHECK_FALSE(reaches({"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"},
                      {"malloc", "dl_iterate_phdr"}));
  CHECK_FALSE(may_reach_libtorch(read_library_file(NAN_GUARD)));
  CHECK(reaches({"libc.so.6"}, {"aoti_torch_grad_mode_set_enabled"}));
  CHECK(reaches({"libc.so.6"}, {"dlsym"}));
  CHECK(reaches({"libc.so.6", "libhelper.so.1"}, {}));  // which may be linked with LibTorch
  CHECK(may_reach_libtorch(read_library_file(LINKS_LIBTORCH)));
}

TEST_CASE("the unwinder of other languages is no C++ runtime of the host's") {
  LibraryFacts facts;
  facts.needed = {"libgcc_s.so.1", "libc.so.6"};
  CHECK(found(facts, "brings its own C++ runtime").empty());
}

TEST_CASE("only the first few of many leaking names are shown") {
  LibraryFacts facts;
  for (int i = 0; i < 40; ++i) facts.exported.push_back("f" + std::to_string(i));
  CHECK_THAT(found(facts, "exports only its entry"), Contains("'f4' and 35 more"));
}

}  // namespace sealing_test
