#!/usr/bin/env bash
# What Grapnel's Windows build needs no LibTorch for compiles for Windows: core/base, host, the program grapnel
# and the shipped plugins, checked by MinGW without linking. Skipped where MinGW is not installed.
source "$(dirname -- "${BASH_SOURCE[0]}")/testing.sh"

compiler=x86_64-w64-mingw32-g++-posix  # "posix": with std::thread and std::mutex
command -v "$compiler" >/dev/null || { echo "skipped: $compiler is not installed"; exit 77; }

# The libraries' headers are this machine's, in a folder of their own: the compiler must not see the rest of
# /usr/include.
headers() {
  mkdir -p headers
  ln -sf /usr/include/{boost,fmt,CLI,xxhash.h,xxh3.h} /usr/include/*-linux-gnu/curl headers/
}

# compiles NAME SOURCE...: checks the sources as one, which takes a fifth of the time.
compiles() {
  local name=$1 source
  shift
  for source in "$@"; do echo "#include \"$source\""; done >"$name.cpp"
  "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -DFMT_HEADER_ONLY \
    -DGRAPNEL_ABI_TARGET=GRAPNEL_ABI_MINOR -DGRAPNEL_VERSION='"0"' -DGRAPNEL_INSTALLED_PLUGINS='"plugins"' -isystem headers \
    -I"$sources/core/base/include" -I"$sources/core/base/internal" -I"$sources/core/base/src" \
    -I"$sources/host/include" -I"$sources/host/src" -I"$sources/host/program" \
    -I"$sources/host/validation/include" -I"$sources/plugin-sdk/include" "$name.cpp"
}

# sources_of FOLDER: its sources, without those of other systems.
sources_of() {
  find "$sources/$1" -maxdepth 1 -name '*.cpp' ! -name '*_posix.cpp' | sort
}

finds_faults() {
  headers
  echo '#include <sys/socket.h>' >posix.h
  ! compiles fault "$PWD/posix.h" 2>faults
  grep -q 'sys/socket.h: No such file' faults
}
it "what Windows does not have is noticed" finds_faults

libraries() {
  headers
  mapfile -t files < <(sources_of core/base/src)
  compiles base "${files[@]}"
  mapfile -t files < <(sources_of host/src)
  compiles host "${files[@]}"
  mapfile -t files < <(sources_of host/program)
  compiles program "${files[@]}"
}
it "core/base, host and the program compile for Windows" libraries

plugins() {
  headers
  local plugin
  for plugin in "$sources"/plugins/*/; do
    mapfile -t files < <(sources_of "plugins/$(basename -- "$plugin")")
    [[ ${#files[@]} -eq 0 ]] || compiles "$(basename -- "$plugin")" "${files[@]}"
  done
}
it "the shipped plugins, and with them plugin-sdk, compile for Windows" plugins

finish
