#!/usr/bin/env bash
# From a fresh Debian to a training with a plugin dropped in:
#
#   bash cmake/quickstart.sh
#
# Installs what is missing (Debian packages, LibTorch), builds the programs and the plugins, and trains on
# the embedded digits in build/quickstart. Run it from anywhere, as often as you like: it does only what
# is left to do. Nothing outside the repository changes but the packages and LibTorch in your cache: the
# demonstration has its own settings and its own store of plugins. cmake/README.md says more.
set -Eeuo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/setup/phases.sh"
source "$here/setup/packages.sh"
source "$here/setup/libtorch.sh"
source "$here/setup/build.sh"
source "$here/setup/demonstration.sh"

script_begin quickstart
packages_install "$here/packages.txt"
libtorch_install "$here/libtorch.lock"
build_release programs plugins

phase_begin "training the embedded digits with a plugin, in build/quickstart"
cd -- "$repository"
demonstrate
phase_end
say "-- everything: $(seconds_since "$script_started") s"
demonstrated_accuracy
