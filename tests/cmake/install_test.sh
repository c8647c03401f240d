#!/usr/bin/env bash
# Everything that is installed is built by the targets `programs` and `plugins`, which quickstart.sh builds: installing
# after it never stops half-way.
#
#   install_test.sh BUILD-DIRECTORY NINJA
source "$(dirname -- "${BASH_SOURCE[0]}")/testing.sh"
build=$1
ninja=$2

# Files of the build that cmake_install.cmake scripts install and that the build makes.
installed_products() {
  find "$build" -name cmake_install.cmake -exec grep -h 'FILES "' {} + | grep -o '"[^"]*"' | tr -d '"' |
    sed -n "s|^$build/||p" | sort -u >installed
  "$ninja" -C "$build" -t targets all | sed 's/: [^:]*$//' | sort -u >products
  comm -12 installed products
}

# All that building these targets builds (`ninja -t inputs` leaves out order-only inputs).
built_with() {
  printf '%s\n' "$@" | sort -u >built_next
  : >built_all
  while [[ -s built_next ]]; do
    sort -u -o built_all built_all built_next
    # shellcheck disable=SC2046  # one target a line, without spaces
    "$ninja" -C "$build" -t query $(cat built_next) | sed -n '/^  input:/,/^  outputs:/s/^    [|]* *//p' | sort -u |
      comm -12 - products | comm -23 - built_all >built_new
    mv built_new built_next
  done
  cat built_all
}

installed_is_built() {
  installed_products >installed_products
  [[ -s installed_products ]]
  grep -qx 'bin/grapnel' installed_products
  built_with programs plugins >built
  comm -23 installed_products built >missing
  [[ ! -s missing ]] || { echo "installed, but not built by programs and plugins:"; cat missing; return 1; }
}

nothing_of_the_tests() {
  installed_products >installed_products
  refute grep '^tests/\|^examples/' installed_products
}

it "builds everything that is installed with the targets programs and plugins" installed_is_built
it "installs nothing of the tests and examples" nothing_of_the_tests
finish
