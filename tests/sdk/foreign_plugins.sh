#!/usr/bin/env bash
# Builds tests/consumer/foreign_plugins outside the tree with clang and libc++, as a stranger would, and
# checks that the libraries are sealed.
#
#   foreign_plugins.sh PREFIX OUTPUT     where the SDK is installed; where the libraries go
#
# Exit status 77: there is no clang or no libc++ here.
set -Eeuo pipefail
prefix=$1
output=$2
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/sealing.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/grapnel-test-XXXXXX")
trap 'rm -rf -- "$work"' EXIT
cd "$work"
if ! clang++ -stdlib=libc++ -fsyntax-only -x c++ - <<<'#include <string>' 2>/dev/null; then
  echo "there is no clang with libc++"
  exit 77
fi
cp -r "$here/../consumer/foreign_plugins" sources
cmake -S sources -B build -G Ninja -DCMAKE_BUILD_TYPE=Release "-DCMAKE_PREFIX_PATH=$prefix" \
  -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS=-stdlib=libc++ \
  "-DGRAPNEL_PLUGIN_OUTPUT_DIRECTORY=$output"
cmake --build build
expect_sealed "$output/guest.so" sources/guest.json
expect_sealed "$output/plain_c.so" sources/plain_c.json
