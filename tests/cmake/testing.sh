# shellcheck shell=bash
# Sourced by the tests of the set-up scripts. A test is a sentence and a function, run by itself in an
# empty directory with nothing of the user's settings:
#
#   it "asks for nothing when all packages are installed" packages_present
#   finish
#
# A function fails where a command of it fails. `run COMMAND...` keeps status and output for `expect_...`.

sources=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/grapnel-test-XXXXXX")
trap 'rm -rf -- "$work"' EXIT
failures=0
tests=0

it() {
  local sentence=$1 directory=$work/$((++tests)) status=0
  mkdir "$directory"
  # Not `( ... ) || status=$?`: bash would continue after a failed command in there.
  set +e
  (
    set -Eeuo pipefail
    trap 'echo "     line $LINENO: $BASH_COMMAND"' ERR
    cd "$directory"
    unset LIBTORCH CMAKE_PREFIX_PATH GRAPNEL_LIBTORCH_MIRROR
    export HOME=$directory/home XDG_CACHE_HOME=$directory/cache
    mkdir bin home
    "$2"
  ) >"$directory/output" 2>&1
  status=$?
  set -e
  if ((status == 0)); then
    echo "ok   $sentence"
  else
    echo "FAIL $sentence"
    sed 's/^/     /' "$directory/output"
    failures=$((failures + 1))
  fi
}

finish() {
  echo "$((tests - failures)) of $tests passed"
  ((tests > 0 && failures == 0))
}

# A program of that name, first in PATH, with the script on standard input.
fake() {
  { echo '#!/usr/bin/env bash'; cat; } >"bin/$1"
  chmod +x "bin/$1"
  PATH=$PWD/bin:$PATH
  hash -r
}

run() {
  status=0
  "$@" >run.out 2>&1 </dev/null || status=$?
}

expect_status() {
  ((status == $1)) || { echo "exit status $status, expected $1; output:"; cat run.out; return 1; }
}

expect_output() {
  grep -qF -- "$1" run.out || { echo "not in the output: $1"; cat run.out; return 1; }
}

expect_no_output() {
  refute grep -F -- "$1" run.out
}

# refute COMMAND...: fails when the command succeeds (`! command` alone never fails a test).
refute() {
  if "$@"; then
    echo "succeeded: $*"
    return 1
  fi
}

# setup COMMAND...: a command of cmake/setup as the scripts run it, with its log in this directory.
setup() {
  # shellcheck disable=SC2016
  bash -Eeuo pipefail -c '
    for part in phases packages libtorch build; do source "$0/cmake/setup/$part.sh"; done
    repository=$PWD
    script_begin test
    "$@"' "$sources" "$@"
}
