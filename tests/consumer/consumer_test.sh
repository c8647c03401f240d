#!/usr/bin/env bash
# Installs the build into a temporary prefix, builds tests/consumer/program outside the tree against the
# package that is found there, enables an installed plugin with the installed program, and trains with it.
#
#   consumer_test.sh BUILD-DIRECTORY CMAKE [SANITIZERS]
#
# SANITIZERS: those of the build, as -fsanitize= takes them; the program must have them too.
# The program's LibTorch is the one that Grapnel was built with: nothing else leads to one here.
set -Eeuo pipefail
build=$1
cmake=$2
sanitizers=${3:-}
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/grapnel-test-XXXXXX")
trap 'rm -rf -- "$work"' EXIT
cd "$work"
unset LIBTORCH CMAKE_PREFIX_PATH
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache

"$cmake" --install "$build" --prefix "$work/prefix" >install.log
cp -r "$here/program" sources
"$cmake" -S sources -B own -G Ninja -DCMAKE_BUILD_TYPE=Release \
  "-DCMAKE_PREFIX_PATH=$work/prefix" ${sanitizers:+"-DCMAKE_CXX_FLAGS=-fsanitize=$sanitizers"} >configure.log || { cat configure.log; exit 1; }
"$cmake" --build own >build.log || { cat build.log; exit 1; }

fail() { echo "$*"; exit 1; }
# Only what ships is installed.
expected=$(cd "$here/../../plugins" && printf '%s\n' */plugin.json | sed 's|/plugin.json$||' | sort)
installed=$(cd prefix/lib*/grapnel/plugins && printf '%s\n' *.so | sed 's/[.]so$//' | sort)
[[ $installed == "$expected" ]] || fail "installed plugins: $installed; expected: $expected"

prefix/bin/grapnel plugin enable loss_limit >enable.txt || fail "the installed grapnel does not enable its plugin: $(cat enable.txt)"
own/own_program >out.txt 2>err.txt || fail "the program failed: $(cat err.txt)"
# The first loss is 4, above the limit of 1, so that the plugin stops the run after one step.
grep -qx 'steps 1' out.txt || fail "expected one step, got: $(cat out.txt)"
grep -q 'loss_limit.*the loss exceeds the limit' out.txt || fail "the plugin did not stop the run: $(cat out.txt)"
echo "installed, found, built, trained with an enabled plugin"
