#!/usr/bin/env bash
# cmake/setup/packages.sh: apt runs only when something is missing, and only with the right to.
source "$(dirname -- "${BASH_SOURCE[0]}")/testing.sh"

# A machine where `cmake` and `curl` are installed and `unzip` is not; apt-get notes how it was called.
machine() {
  fake dpkg-query <<'FAKE'
echo "installed cmake"
echo "installed curl"
echo "config-files ninja-build"
exit 1
FAKE
  fake apt-get <<'FAKE'
echo "apt-get $*" >>apt-calls
[[ ! -e apt-broken ]] || { echo "E: Unable to fetch some archives"; exit 100; }
FAKE
  fake id <<<'cat uid'
  echo 0 >uid
  fake sudo <<<'[[ ! -e sudo-asks ]] || exit 1; echo "sudo $*" >>apt-calls; [[ $1 = -n ]] || "$@"'
}

nothing_missing() {
  machine
  printf 'cmake\n# a comment\n\ncurl # why\n' >list
  run setup packages_install list
  expect_status 0
  expect_output "all 2 are installed"
  [[ ! -e apt-calls ]]
}
it "does not run apt when all packages are installed" nothing_missing

some_missing() {
  machine
  printf 'cmake\nunzip\n' >list
  printf 'ninja-build\n' >list2
  run setup packages_install list list2
  expect_status 0
  expect_output "installing ninja-build unzip"
  grep -q 'apt-get .*update' apt-calls
  grep -q 'apt-get .*install -y --no-install-recommends ninja-build unzip$' apt-calls
  refute grep -q sudo apt-calls
}
it "installs exactly what is missing, removed packages with leftovers included" some_missing

by_sudo() {
  machine
  echo 1000 >uid
  echo unzip >list
  run setup packages_install list
  expect_status 0
  grep -q 'sudo env DEBIAN_FRONTEND=noninteractive apt-get .*install' apt-calls
}
it "uses sudo when it is not root" by_sudo

sudo_with_password() {
  machine
  echo 1000 >uid
  touch sudo-asks
  echo unzip >list
  run setup packages_install list
  expect_status 1
  expect_output "run: sudo apt-get update && sudo apt-get install -y --no-install-recommends unzip"
  [[ ! -e apt-calls ]]
}
it "gives the command when sudo needs a password and there is no terminal" sudo_with_password

neither_root_nor_sudo() {
  machine
  echo 1000 >uid
  echo unzip >list
  mkdir tools
  local tool
  for tool in bash env sed sort comm dirname mkdir rm cat basename paste stat tail; do
    ln -s "$(command -v $tool)" tools/
  done
  rm bin/sudo
  PATH=$PWD/bin:$PWD/tools run setup packages_install list
  expect_status 1
  expect_output "run as root: apt-get update && apt-get install -y --no-install-recommends unzip"
  [[ ! -e apt-calls ]]
}
it "names the command for root when there is no sudo" neither_root_nor_sudo

apt_fails() {
  machine
  touch apt-broken
  echo unzip >list
  run setup packages_install list
  expect_status 1
  expect_output "E: Unable to fetch some archives"
  expect_output "check the network and apt's sources"
  expect_output "$PWD/build/test.log"
}
it "shows the end of apt's output and how to fix it when apt fails" apt_fails

finish
