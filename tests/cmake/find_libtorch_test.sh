#!/usr/bin/env bash
# cmake/FindLibTorch.cmake: which LibTorch is used, and the message when there is none.
source "$(dirname -- "${BASH_SOURCE[0]}")/testing.sh"

# A project that prints what it found; no compiler is needed to find things.
project() {
  mkdir project
  cat >project/CMakeLists.txt <<PROJECT
cmake_minimum_required(VERSION 3.25)
project(finder LANGUAGES NONE)
set(CMAKE_SHARED_LIBRARY_PREFIX lib)
set(CMAKE_SHARED_LIBRARY_SUFFIX .so)
list(APPEND CMAKE_MODULE_PATH "$sources/cmake" "\${CMAKE_CURRENT_SOURCE_DIR}")
find_package(LibTorch 2.6 REQUIRED)
get_target_property(includes grapnel::libtorch INTERFACE_COMPILE_OPTIONS)
get_target_property(links grapnel::libtorch INTERFACE_LINK_LIBRARIES)
message("version \${LibTorch_VERSION} directory \${LibTorch_DIRECTORY}")
message("includes \${includes}")
message("links \${links}")
file(GENERATE OUTPUT "\${CMAKE_BINARY_DIR}/definitions"
  CONTENT "\$<TARGET_PROPERTY:grapnel::libtorch,INTERFACE_COMPILE_DEFINITIONS>")
PROJECT
  echo 'add_library(Threads::Threads INTERFACE IMPORTED)' >project/FindThreads.cmake
}

# libtorch DIRECTORY VERSION
libtorch() {
  mkdir -p "$1/include/ATen/core" "$1/include/torch/csrc/api/include/torch" "$1/lib"
  touch "$1/include/ATen/core/Tensor.h" "$1/lib/libtorch_cpu.so" "$1/lib/libc10.so"
  local major minor patch
  IFS=. read -r major minor patch <<<"$2"
  printf '#define TORCH_VERSION_MAJOR %s\n#define TORCH_VERSION_MINOR %s\n#define TORCH_VERSION_PATCH %s\n' \
    "$major" "$minor" "$patch" >"$1/include/torch/csrc/api/include/torch/version.h"
}

configure() { run cmake -S project -B tree "$@"; }
cached=grapnel/$(sed -n 's/^name //p' "$sources/cmake/libtorch.lock")

everywhere() {
  project
  libtorch "$XDG_CACHE_HOME/$cached/torch" 2.15.0
  configure
  expect_status 0
  expect_output "version 2.15.0 directory $XDG_CACHE_HOME/$cached/torch"
  expect_output "(the user's cache)"

  libtorch env/libtorch 2.7.1
  export LIBTORCH=$PWD/env
  configure
  expect_output "version 2.7.1 directory $PWD/env/libtorch"

  libtorch prefix 2.6.0
  configure -DCMAKE_PREFIX_PATH="$PWD/prefix"
  expect_output "version 2.6.0 directory $PWD/prefix"
  expect_output "-idirafter $PWD/prefix/include/torch/csrc/api/include"
  expect_output "links grapnel::libtorch_cpu;grapnel::libtorch_c10"

  libtorch root/torch 2.8.0
  mkdir -p root/torch/share/cmake
  configure -DLibTorch_ROOT="$PWD/root/torch/share/cmake"
  expect_output "version 2.8.0 directory $PWD/root/torch"
}
it "takes LibTorch_ROOT before CMAKE_PREFIX_PATH before LIBTORCH before the user's cache" everywhere

home_cache() {
  project
  libtorch "$HOME/.cache/$cached/torch" 2.15.0
  XDG_CACHE_HOME='' configure
  expect_output "directory $HOME/.cache/$cached/torch"
}
it "knows the cache below HOME" home_cache

stays() {
  project
  libtorch first 2.7.0
  libtorch "$XDG_CACHE_HOME/$cached/torch" 2.15.0
  LIBTORCH=$PWD/first configure
  configure
  expect_output "directory $PWD/first"
  rm -r first
  configure
  expect_output "directory $XDG_CACHE_HOME/$cached/torch"
}
it "stays with what the last configure found, as long as it is there" stays

nowhere() {
  project
  libtorch old 2.5.1
  libtorch broken 2.15.0
  rm broken/lib/libc10.so
  libtorch abi 2.6.0
  mkdir -p abi/share/cmake/Torch empty
  echo 'set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=0")' >abi/share/cmake/Torch/TorchConfig.cmake
  LIBTORCH=$PWD/abi configure "-DCMAKE_PREFIX_PATH=$PWD/old;$PWD/broken;$PWD/empty;$PWD/none"
  expect_status 1
  expect_output "$PWD/old (CMAKE_PREFIX_PATH): LibTorch 2.5.1, older than 2.6"
  expect_output "$PWD/broken (CMAKE_PREFIX_PATH): no lib/libc10.so"
  expect_output "$PWD/empty (CMAKE_PREFIX_PATH): no include/ATen there, nor in its torch or libtorch"
  expect_output "$PWD/none (CMAKE_PREFIX_PATH): no such directory"
  expect_output "$PWD/abi (LIBTORCH in the environment): LibTorch 2.6.0 built with the old C++ ABI"
  expect_output "$XDG_CACHE_HOME/$cached (the user's cache): no such directory"
  expect_output "bash cmake/quickstart.sh"
}
it "says what it looked at, and why nothing there would do" nowhere

layout() {
  project
  libtorch "$XDG_CACHE_HOME/$cached/torch" 2.15.0
  local type
  for type in "" Debug Custom; do
    configure "-DCMAKE_BUILD_TYPE=$type"
    run cat tree/definitions
    expect_output NDEBUG
  done
}
it "gives LibTorch's headers the layouts of its libraries, which are built with NDEBUG, in every configuration" layout

finish
