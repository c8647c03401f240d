#!/usr/bin/env bash
# grapnel_add_plugin() refuses a plugin.json that no host would take, and says what to do.
#
#   add_plugin_test.sh PREFIX     where the SDK is installed
prefix=$1
source "$(dirname -- "${BASH_SOURCE[0]}")/../cmake/testing.sh"

copy_template() { cp -r "$prefix/share/grapnel/template" my_plugin; }
run_cmake() {
  run cmake -S my_plugin -B build -G Ninja "-DCMAKE_PREFIX_PATH=$prefix"
  tr -s ' \n' ' ' <run.out >run.flat  # CMake breaks lines
  mv run.flat run.out
}
# configure SED-SCRIPT: the template with its manifest changed.
configure() {
  copy_template
  sed -i "$1" my_plugin/plugin.json
  run_cmake
}
refuses() {
  configure "$1"
  expect_status 1
  expect_output "$2"
}

accepted() { configure ''; expect_status 0; }
it "takes the template's manifest" accepted

dotted() { configure 's/"id": "my_plugin"/"id": "org.example.my_plugin"/'; expect_status 0; }
it "takes an id that ends in the library's name" dotted

not_json() { refuses 's/"manifest_version": 1,/"manifest_version": 1/' "is not JSON"; }
it "refuses what is not JSON" not_json

no_id() { refuses '/"id"/d' 'it has no "id"'; }
it "refuses a manifest without an id" no_id

bad_id() { refuses 's/"id": "my_plugin"/"id": "My-Plugin"/' 'id "My-Plugin" is not acceptable; it is made of'; }
it "refuses an id with other characters" bad_id

other_id() { refuses 's/"id": "my_plugin"/"id": "somebody"/' 'id is "somebody", but the library is called my_plugin'; }
it "refuses an id that has nothing to do with the library's name" other_id

bad_version() { refuses 's/"0.1.0"/"1.0"/' 'version "1.0" is not MAJOR.MINOR.PATCH'; }
it "refuses a version that is not semantic" bad_version

other_format() { refuses 's/"manifest_version": 1/"manifest_version": 2/' 'manifest_version is 2; this release writes 1'; }
it "refuses another version of the format" other_format

minor=$(sed -n 's/^#define GRAPNEL_ABI_LOWEST_MINOR //p' "$prefix/include/grapnel/abi.h")
other_abi() { refuses 's/"minor": [0-9]*/"minor": 77/' "write \"abi\": {\"major\": 0, \"minor\": $minor}"; }
it "refuses another ABI than the SDK's, and says what to write" other_abi

newest=$(sed -n 's/^#define GRAPNEL_ABI_MINOR //p' "$prefix/include/grapnel/abi.h")
newest_abi() {
  configure "s/\"minor\": [0-9]*/\"minor\": $newest/"
  expect_status 0
  grep -q -- "-DGRAPNEL_ABI_TARGET=$newest" build/build.ninja
}
it "compiles a plugin for the minor that it is written for" newest_abi

no_callbacks() { refuses 's/"callbacks": \[/"others": [/' 'it has no list "callbacks"'; }
it "refuses a plugin that says nothing of its callbacks" no_callbacks

nameless() { refuses '/^      "name"/d' 'callback number 0 has no "name"'; }
it "refuses a callback without a name" nameless

absent() {
  copy_template
  rm my_plugin/plugin.json
  run_cmake
  expect_status 1
  expect_output "every plugin needs one"
}
it "refuses to build a plugin without a manifest" absent

huge() {
  copy_template
  { cat my_plugin/plugin.json; head -c 262144 /dev/zero | tr '\0' ' '; } >huge && mv huge my_plugin/plugin.json
  run_cmake
  expect_status 1
  expect_output "a manifest has at most 262144"
}
it "refuses a manifest over 256 KiB" huge

only_c() {
  copy_template
  sed -i 's/CXX/C/; s/my_plugin.cpp/my_plugin.c/' my_plugin/CMakeLists.txt
  run_cmake
  expect_status 1
  expect_output "write project(my_plugin LANGUAGES C CXX)"
  sed -i '/add_plugin_test/d' my_plugin/CMakeLists.txt
  cat >my_plugin/my_plugin.c <<'C'
#include <grapnel/abi.h>
#include <grapnel/note.h>
static const grapnel_factory factory = {sizeof factory, 0, {"my_plugin", 9}, NULL};
static const grapnel_factory* const factories[] = {&factory};
GRAPNEL_PLUGIN_EXPORT extern const grapnel_plugin GRAPNEL_PLUGIN_SYMBOL;
const grapnel_plugin GRAPNEL_PLUGIN_SYMBOL = {sizeof(grapnel_plugin), GRAPNEL_ABI_TARGET, 1, factories,
                                              GRAPNEL_MANIFEST, NULL};
C
  run_cmake
  expect_status 0
  run cmake --build build
  expect_status 0
  source "$sources/tests/sdk/sealing.sh"
  expect_sealed build/my_plugin.so my_plugin/plugin.json
}
it "works in a project that has C alone, whose test needs C++" only_c

finish
