#!/usr/bin/env bash
# The template of the SDK, copied and built outside the tree against the installed SDK in the ways that
# people build: its library is sealed each time, and its manifest is in it.
#
#   template_test.sh PREFIX     where the SDK is installed
prefix=$1
source "$(dirname -- "${BASH_SOURCE[0]}")/../cmake/testing.sh"
source "$(dirname -- "${BASH_SOURCE[0]}")/sealing.sh"

build_template() {
  cp -r "$prefix/share/grapnel/template" my_plugin
  run cmake -S my_plugin -B build -G Ninja "-DCMAKE_PREFIX_PATH=$prefix" "$@"
  expect_status 0
  run cmake --build build --target "${target:-my_plugin}"
  expect_status 0
}
needs() { command -v "$1" >/dev/null || { echo "skipped: there is no $1"; exit 0; }; }

plain() {
  build_template
  expect_sealed build/my_plugin.so my_plugin/plugin.json
}
it "without any option" plain

its_test() {
  target=all build_template -DCMAKE_CXX_FLAGS=-O0
  run ctest --test-dir build --output-on-failure
  expect_status 0
  expect_output "100% tests passed"
  run build/my_plugin_test
  expect_status 0
  expect_output "ok      a resumed training counts on from the checkpoint"
  expect_output "3 cases, 0 failed"
}
it "its own test passes in the test kit's host" its_test

broken() {
  cp -r "$prefix/share/grapnel/template" my_plugin
  sed -i 's/request_stop("loss is not finite")/log_info("no")/' my_plugin/my_plugin.cpp
  run cmake -S my_plugin -B build -G Ninja "-DCMAKE_PREFIX_PATH=$prefix" -DCMAKE_CXX_FLAGS=-O0
  expect_status 0
  run cmake --build build
  expect_status 0
  run build/my_plugin_test
  expect_status 1
  expect_output "failed: training.outcome == GRAPNEL_OUTCOME_STOPPED"
  expect_output "FAILED  it stops the training"
}
it "its test fails when the plugin does not do what it should" broken

without_plugin() {
  cp -r "$prefix/share/grapnel/template" my_plugin
  sed -i 's/PLUGIN my_plugin/PLUGIN her_plugin/' my_plugin/CMakeLists.txt
  run cmake -S my_plugin -B build -G Ninja "-DCMAKE_PREFIX_PATH=$prefix"
  ((status != 0))
  expect_output 'PLUGIN is "her_plugin", which is'
}
it "a test of a plugin that no target builds is refused" without_plugin

debug() {
  build_template -DCMAKE_BUILD_TYPE=Debug
  expect_sealed build/my_plugin.so my_plugin/plugin.json
}
it "for debugging" debug

lto() {
  build_template -DCMAKE_BUILD_TYPE=Release -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON \
    "-DCMAKE_MODULE_LINKER_FLAGS=-Wl,--gc-sections" "-DCMAKE_CXX_FLAGS=-ffunction-sections -fdata-sections"
  expect_sealed build/my_plugin.so my_plugin/plugin.json
}
it "with link-time optimization and unused sections dropped" lto

stripped() {
  build_template
  strip --strip-all build/my_plugin.so
  expect_sealed build/my_plugin.so my_plugin/plugin.json
}
it "stripped" stripped

other_linker() {
  needs mold
  build_template "-DCMAKE_MODULE_LINKER_FLAGS=-fuse-ld=mold -Wl,--gc-sections"
  expect_sealed build/my_plugin.so my_plugin/plugin.json
}
it "linked with mold" other_linker

clang_libstdcxx() {
  needs clang++
  build_template -DCMAKE_CXX_COMPILER=clang++
  expect_sealed build/my_plugin.so my_plugin/plugin.json
}
it "with clang and libstdc++" clang_libstdcxx

clang_libcxx() {
  needs clang++
  build_template -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS=-stdlib=libc++ -DCMAKE_BUILD_TYPE=Release
  expect_sealed build/my_plugin.so my_plugin/plugin.json
}
it "with clang and libc++" clang_libcxx

installed() {
  build_template
  run cmake --install build --prefix "$PWD/there"
  expect_status 0
  cmp there/lib/grapnel/plugins/my_plugin.so build/my_plugin.so
  cmp there/lib/grapnel/plugins/my_plugin.grapnel.json my_plugin/plugin.json
  cmp build/my_plugin.grapnel.json my_plugin/plugin.json
}
it "its install puts the library and its manifest into the prefix's plugin directory" installed

changed_manifest() {
  build_template
  sed -i 's/"0.1.0"/"0.2.0-rc.1"/' my_plugin/plugin.json
  run cmake --build build
  expect_status 0
  expect_manifest build/my_plugin.so my_plugin/plugin.json
  cmp build/my_plugin.grapnel.json my_plugin/plugin.json
}
it "a changed plugin.json is built in again" changed_manifest

undefined_function() {
  cp -r "$prefix/share/grapnel/template" my_plugin
  sed -i 's/^GRAPNEL_PLUGIN/void nowhere();\nvoid somewhere() { nowhere(); }\nstruct A { A() { somewhere(); } } a;\n&/' my_plugin/my_plugin.cpp
  run cmake -S my_plugin -B build -G Ninja "-DCMAKE_PREFIX_PATH=$prefix"
  run cmake --build build
  ((status != 0))
  expect_output "nowhere"
}
it "a function that is nowhere is an error when it is linked, not when it is loaded" undefined_function

finish
