#!/usr/bin/env bash
# Every header of the SDK compiles by itself, without a warning: the C ABI as C11, C++17 and C++20, without
# any padding that isn't written down; the wrapper as C++17 and C++20; with gcc and clang; for the
# lowest and the newest target.
source "$(dirname -- "${BASH_SOURCE[0]}")/../cmake/testing.sh"
include=$sources/plugin-sdk/include
strict=(-Wall -Wextra -Wshadow -pedantic -Werror -fsyntax-only -fvisibility=hidden "-I$include")
define() { sed -n "s/^#define GRAPNEL_ABI_$1 //p" "$include/grapnel/abi.h"; }
lowest=-DGRAPNEL_ABI_TARGET=$(define LOWEST_MINOR)
newest=-DGRAPNEL_ABI_TARGET=$(define MINOR)

compilers_c() { command -v gcc clang || true; }
compilers_cxx() { command -v g++ clang++ || true; }

# one_file_each EXTENSION HEADER...: a source for each header, which includes it alone.
one_file_each() {
  local extension=$1 header
  for header in "${@:2}"; do
    printf '#include <%s>\ntypedef int not_empty;\n' "$header" >"${header//\//_}.$extension"
  done
}
abi_headers() { (cd "$include" && ls grapnel/*.h grapnel/ext/*.h); }
wrapper_headers() { (cd "$include" && ls grapnel/plugin.hpp grapnel/plugin/*.hpp); }

abi_as_c() {
  one_file_each c $(abi_headers)
  for compiler in $(compilers_c); do
    for target in "$lowest" "$newest"; do "$compiler" -std=c11 "$target" -Wpadded "${strict[@]}" ./*.c; done
  done
}
it "each header of the ABI is C11 and has no hidden padding" abi_as_c

abi_as_cxx() {
  one_file_each cpp $(abi_headers)
  for compiler in $(compilers_cxx); do
    "$compiler" -std=c++17 "$lowest" -Wpadded "${strict[@]}" ./*.cpp
    "$compiler" -std=c++20 "$newest" -Wpadded "${strict[@]}" ./*.cpp
  done
}
it "each header of the ABI is C++17 and C++20" abi_as_cxx

wrapper_alone() {
  one_file_each cpp $(wrapper_headers)
  g++ -std=c++17 "$lowest" "${strict[@]}" ./*.cpp
  g++ -std=c++17 "$newest" "${strict[@]}" ./grapnel_plugin.hpp.cpp
}
it "each header of the wrapper compiles by itself" wrapper_alone

a_whole_plugin() {
  for compiler in $(compilers_cxx); do
    for standard in c++17 c++20; do
      "$compiler" "-std=$standard" "${strict[@]}" -Wnon-virtual-dtor -Woverloaded-virtual -Wconversion \
        "$sources/plugin-sdk/template/my_plugin.cpp"
    done
  done
}
it "a whole plugin compiles as C++17 and C++20, with g++ and clang" a_whole_plugin

# refuses: what is on standard input does not compile.
refuses() {
  cat >main.cpp
  run g++ -std=c++17 -fsyntax-only "-I$include" main.cpp
  ((status != 0))
}

inside_a_block() {
  refuses <<<'#include <grapnel/plugin.hpp>
struct A : grapnel::plugin::Callback {};
void f() { GRAPNEL_PLUGIN(grapnel::plugin::callback<A>("a")) }'
}
it "GRAPNEL_PLUGIN inside a function does not compile, instead of exporting nothing" inside_a_block

other_targets() {
  refuses <<<"#define GRAPNEL_ABI_TARGET $(($(define MINOR) + 1))
#include <grapnel/abi.h>"
  expect_output "GRAPNEL_ABI_TARGET is newer than these headers"
  refuses <<<"#define GRAPNEL_ABI_TARGET $(($(define LOWEST_MINOR) - 1))
#include <grapnel/abi.h>"
  expect_output "GRAPNEL_ABI_TARGET is older than what hosts run"
}
it "a target that these headers do not have is refused" other_targets

misspelt_hook() {
  refuses <<<'#include <grapnel/plugin.hpp>
struct A : grapnel::plugin::Callback { void on_train_batch_ends(TrainBatchEnd&) override {} };'
  expect_output "on_train_batch_ends"
}
it "a misspelt hook does not compile" misspelt_hook

wrong_constructor() {
  refuses <<<'#include <grapnel/plugin.hpp>
struct A : grapnel::plugin::Callback { explicit A(int) {} };
GRAPNEL_PLUGIN(grapnel::plugin::callback<A>("a"))'
  expect_output "a callback is constructed from const Params&, or from nothing"
}
it "a constructor that the host cannot call is refused with a sentence" wrong_constructor

finish
