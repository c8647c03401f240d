#!/usr/bin/env bash
# cmake/setup/phases.sh and build.sh: what a run says, what it leaves out, and how it fails.
source "$(dirname -- "${BASH_SOURCE[0]}")/testing.sh"

quiet_success() {
  work() { phase_begin "doing the work"; run_logged "the work" "nothing" echo a lot of noise; phase_end; }
  export -f work
  run setup work
  expect_status 0
  expect_output "-- doing the work"
  grep -qE '^   [0-9]+\.[0-9] s$' run.out
  expect_no_output "noise"
  grep -qx 'a lot of noise' build/test.log
}
it "names each phase and how long it took; the noise goes to the log" quiet_success

failure_with_reason() {
  printf 'for i in {1..40}; do echo "line $i"; done; exit 3\n' >broken
  run setup run_logged "the work" "mend the work" bash broken
  expect_status 1
  expect_output "   | line 40"
  expect_no_output "line 10"
  expect_output "failed: the work (the whole log: $PWD/build/test.log)"
  expect_output "fix:    mend the work"
}
it "shows the end of the log, the log's name and what to do when a phase fails" failure_with_reason

own_fault() {
  run setup false
  expect_status 1
  expect_output "this is a bug in the script"
}
it "never stops without a message" own_fault

no_log() {
  touch build
  run setup true
  expect_status 1
  expect_output "cannot create $PWD/build"
}
it "says so when it cannot write its log" no_log

waits() {
  flock lock sleep 1 &
  while flock -n lock true; do :; done
  run setup one_at_a_time lock "sleeps"
  expect_status 0
  expect_output "waiting for another run that sleeps"
  wait
}
it "waits for another run, and says so" waits

# A cmake that notes its calls and configures like the real one; a LibTorch named `one`.
fake_cmake() {
  fake cmake <<'FAKE'
echo "LIBTORCH=$LIBTORCH $*" >>cmake-calls
[[ ! -e no-cmake ]] || exit 1
if [[ $1 == --preset ]]; then
  touch build/release/build.ninja
  echo "GRAPNEL_LIBTORCH_FOUND_AT:INTERNAL=$LIBTORCH" >build/release/CMakeCache.txt
fi
FAKE
  build_with() { libtorch_directory=$1; shift; build_release "$@"; }
  export -f build_with
}

configures_once() {
  fake_cmake
  run setup build_with one all
  expect_output "-- configuring build/release"
  expect_output "-- building everything"
  run setup build_with one program plugins
  expect_no_output "configuring"
  run setup build_with two all
  expect_output "-- configuring build/release"
  diff cmake-calls - <<'CALLS'
LIBTORCH=one --preset release
LIBTORCH=one --build --preset release --target all
LIBTORCH=one --build --preset release --target program --target plugins
LIBTORCH=two --preset release
LIBTORCH=two --build --preset release --target all
CALLS
}
it "configures if that was not done yet, or was done for another LibTorch" configures_once

build_fails() {
  fake_cmake
  touch no-cmake
  run setup build_with one all
  expect_status 1
  expect_output "failed: configuring"
}
it "stops when configuring fails" build_fails

finish
