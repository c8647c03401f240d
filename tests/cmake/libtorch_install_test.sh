#!/usr/bin/env bash
# cmake/setup/libtorch.sh: download, verification and unpacking, with small wheels on a file:// mirror.
source "$(dirname -- "${BASH_SOURCE[0]}")/testing.sh"

# A mirror with one wheel of two parts (what lies between them is not needed) and one whole wheel, and
# the lock file for them.
mirror() {
  mkdir -p mirror/packages wheel/torch/include/ATen wheel/torch/lib wheel/nvidia/cu13/lib
  echo header >wheel/torch/include/ATen/Tensor.h
  head -c 300000 /dev/urandom >wheel/torch/lib/libtorch_cpu.so
  head -c 200000 /dev/urandom >wheel/torch/lib/libtorch_cuda.so
  echo cudart >wheel/nvidia/cu13/lib/libcudart.so.13
  echo other >wheel/nvidia/cu13/lib/libother.so
  (cd wheel && cmake -E tar cf ../mirror/packages/torch.whl --format=zip \
    torch/include torch/lib/libtorch_cpu.so torch/lib/libtorch_cuda.so)
  (cd wheel && cmake -E tar cf ../mirror/packages/cuda.whl --format=zip nvidia)
  local size cut=310000
  size=$(stat -c %s mirror/packages/torch.whl)
  cat >lock <<LOCK
# comment
name libtorch-9.9
unpacked 400000
wheel torch.whl $size /packages
part 0 $cut $(digest torch.whl 0 $cut)
part $((size - 5000)) 5000 $(digest torch.whl $((size - 5000)) 5000)
take torch/include/*
take torch/lib/libtorch_cpu.so

wheel cuda.whl $(stat -c %s mirror/packages/cuda.whl) /packages
part 0 $(stat -c %s mirror/packages/cuda.whl) $(digest cuda.whl 0 1000000)
take nvidia/cu13/lib/libcudart.so.13
LOCK
  export GRAPNEL_LIBTORCH_MIRROR=file://$PWD/mirror
  installed=$XDG_CACHE_HOME/grapnel/libtorch-9.9
}

digest() { tail -c "+$(($2 + 1))" "mirror/packages/$1" | head -c "$3" | sha256sum | cut -d' ' -f1; }

# Nothing but a whole LibTorch or none, and nothing of a run left behind.
expect_installed() {
  cmp wheel/torch/lib/libtorch_cpu.so "$installed/torch/lib/libtorch_cpu.so"
  cmp wheel/torch/include/ATen/Tensor.h "$installed/torch/include/ATen/Tensor.h"
  [[ $(cat "$installed/nvidia/cu13/lib/libcudart.so.13") == cudart ]]
  [[ ! -e $installed/torch/lib/libtorch_cuda.so && ! -e $installed/nvidia/cu13/lib/libother.so ]]
  [[ $(ls "$XDG_CACHE_HOME/grapnel") == $'libtorch-9.9\nlock' ]]
}

whole() {
  mirror
  run setup libtorch_install lock
  expect_status 0
  expect_installed
  rm -r mirror
  run setup libtorch_install lock
  expect_status 0
  expect_output "-- LibTorch: $installed"
}
it "installs what the lock names, and downloads nothing the second time" whole

# Gives up in the middle of the first part, as a broken connection does.
cut_connection() {
  mirror
  local curl
  curl=$(command -v curl)
  fake curl <<FAKE
$curl "\$@" | head -c 100000
echo "curl: (56) connection reset" >&2
exit 56
FAKE
  run setup libtorch_install lock
  expect_status 1
  expect_output "the download stopped after 300000 of 310000 bytes"
  expect_output "curl: (56) connection reset"
  expect_output "the download resumes"
  [[ ! -e $installed ]]

  fake curl <<FAKE
echo "\$*" >>$PWD/curl-calls
exec $curl "\$@"
FAKE
  run setup libtorch_install lock
  expect_status 0
  expect_installed
  grep -q -- '--range 300000-309999' curl-calls
}
it "resumes an interrupted download" cut_connection

other_bytes() {
  mirror
  cp mirror/packages/torch.whl kept.whl
  printf 'garbage' | dd of=mirror/packages/torch.whl bs=1 seek=1000 conv=notrunc status=none
  run setup libtorch_install lock
  expect_status 1
  expect_output "bytes 0 to 309999 have SHA-256"
  expect_output "run this again"
  [[ ! -e $installed ]]
  cp kept.whl mirror/packages/torch.whl
  run setup libtorch_install lock
  expect_status 0
  expect_installed
}
it "throws away what has another checksum and downloads it again" other_bytes

no_network() {
  mirror
  mv mirror gone
  run setup libtorch_install lock
  expect_status 1
  expect_output "the download stopped after 0 of 310000 bytes"
  expect_output "check the network"
}
it "says how to fix a missing network" no_network

no_ranges() {
  mirror
  # shellcheck disable=SC2016
  fake curl <<<'while (($# > 1)); do [[ $1 != --dump-header ]] || echo "HTTP/1.1 200 OK" >"$2"; shift; done; echo all'
  run setup libtorch_install lock
  expect_status 1
  expect_output "the server does not send parts of a file"
  [[ -z $(ls "$XDG_CACHE_HOME/grapnel/download") ]]
}
it "reports a server that ignores ranges" no_ranges

no_space() {
  mirror
  fake df <<<'echo Avail; echo 500000'
  run setup libtorch_install lock
  expect_status 1
  expect_output "LibTorch needs 1 MB in $XDG_CACHE_HOME/grapnel, where 0 MB are free"
  expect_output "set XDG_CACHE_HOME to a roomier disk"
  [[ -z $(ls "$XDG_CACHE_HOME/grapnel/download") ]]
}
it "asks for free space before it downloads" no_space

disk_fills_up() {
  mirror
  local unzip
  unzip=$(command -v unzip)
  fake unzip <<<'echo "torch/lib/libtorch_cpu.so: write error (disk full?)"; exit 50'
  run setup libtorch_install lock
  expect_status 1
  expect_output "write error (disk full?)"
  expect_output "free some space"
  [[ ! -e $installed && -z $(find "$XDG_CACHE_HOME/grapnel" -name 'unpack.*') ]]
  ln -sf "$unzip" bin/unzip
  GRAPNEL_LIBTORCH_MIRROR=file:///nowhere run setup libtorch_install lock
  expect_status 0
  expect_installed
}
it "takes no half-unpacked LibTorch for a whole one, and does not download again after it" disk_fills_up

killed() {
  mirror
  mkdir -p "$XDG_CACHE_HOME/grapnel/unpack.abc123/tree/torch"
  run setup libtorch_install lock
  expect_status 0
  expect_installed
}
it "clears away what a killed run left" killed

side_by_side() {
  mirror
  local one two
  setup libtorch_install lock >one 2>&1 &
  one=$!
  setup libtorch_install lock >two 2>&1 &
  two=$!
  wait $one
  wait $two
  expect_installed
}
it "lets two runs install at the same time" side_by_side

users_own() {
  mirror
  mkdir -p own/libtorch/lib own/libtorch/include/ATen own/libtorch/share/cmake
  touch own/libtorch/lib/libtorch_cpu.so
  LIBTORCH=$PWD/own run setup libtorch_install lock
  expect_status 0
  expect_output "-- LibTorch: $PWD/own/libtorch (LIBTORCH)"
  CMAKE_PREFIX_PATH=/nowhere:$PWD/own/libtorch/share/cmake run setup libtorch_install lock
  expect_output "-- LibTorch: $PWD/own/libtorch (CMAKE_PREFIX_PATH)"
  [[ ! -e $XDG_CACHE_HOME ]]
  LIBTORCH=/nowhere run setup libtorch_install lock
  expect_status 1
  expect_output "LIBTORCH is '/nowhere', which has no LibTorch"
}
it "uses the user's own LibTorch, and refuses a directory without one" users_own

real_lock() {
  # Every part names bytes of its wheel, and the digests look like SHA-256.
  local key first second third size=0 parts=0
  while read -r key first second third; do
    case $key in
      wheel)
        size=$second
        [[ $third == /packages/* ]]
        ;;
      part)
        ((first + second <= size))
        [[ $third =~ ^[0-9a-f]{64}$ ]]
        parts=$((parts + 1))
        ;;
      name | unpacked | take | "" | "#") ;;
      *) echo "unknown line: $key"; return 1 ;;
    esac
  done <"$sources/cmake/libtorch.lock"
  ((parts > 0))
}
it "has a well-formed lock file" real_lock

finish
