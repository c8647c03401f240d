#!/usr/bin/env bash
# Installs what is missing (Debian packages, LibTorch), builds everything and runs every test:
#
#   bash cmake/test.sh            all tests; the last lines are ctest's summary
#   bash cmake/test.sh -R trainer arguments are passed to ctest
#
# Run it from anywhere, as often as you like: it does only what is left to do. LIBTORCH=DIR or
# CMAKE_PREFIX_PATH name your own LibTorch. cmake/README.md says more.
set -Eeuo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/setup/phases.sh"
source "$here/setup/packages.sh"
source "$here/setup/libtorch.sh"
source "$here/setup/build.sh"

script_begin test
packages_install "$here/packages.txt" "$here/packages-test.txt"
libtorch_install "$here/libtorch.lock"
build_release all
say "-- testing (ready after $(seconds_since "$script_started") s)"
exec ctest --preset release --parallel "$(nproc)" "$@"
