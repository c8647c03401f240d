#!/usr/bin/env bash
# Builds tests/consumer/rust_plugin outside the tree, on what bindgen makes of the installed headers, and
# checks that the plugin is valid and that no constant of the headers is lost.
#
#   rust_plugin.sh PREFIX OUTPUT GRAPNEL     where the SDK is installed; where the library goes; the program
set -Eeuo pipefail
prefix=$1
output=$2
grapnel=$3
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

work=$(mktemp -d "${TMPDIR:-/tmp}/grapnel-test-XXXXXX")
trap 'rm -rf -- "$work"' EXIT
# rustup's finds its toolchain by the user's home directory, which tests don't have.
export RUSTUP_HOME=${RUSTUP_HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)/.rustup}
rustc --version
bindgen --version
headers=$prefix/include/grapnel
bindgen "$headers/ext/layout.h" -o "$work/bindings.rs" -- "-I$prefix/include"
newest=$(sed -n 's/^#define GRAPNEL_ABI_MINOR //p' "$headers/abi.h")
bindgen "$headers/ext/layout.h" -o "$work/newest.rs" -- "-I$prefix/include" "-DGRAPNEL_ABI_TARGET=$newest"

# No value: how functions are called and exported, and the symbol's name as a token.
for name in $(grep -ohE '^#define GRAPNEL_[A-Z0-9_]+ .' "$headers/abi.h" "$headers"/ext/*.h |
  awk '{print $2}' | sort -u); do
  case $name in
    GRAPNEL_CALL | GRAPNEL_PLUGIN_EXPORT | GRAPNEL_PLUGIN_SYMBOL) continue ;;
  esac
  grep -qh "pub const $name:" "$work/bindings.rs" "$work/newest.rs" || { echo "bindgen does not see $name"; exit 1; }
done

mkdir -p "$output"
GRAPNEL_BINDINGS="$work/bindings.rs" rustc --edition 2021 -O --crate-type cdylib -D warnings \
  -o "$work/rusty.so" "$here/../consumer/rust_plugin/rusty.rs"
cp "$here/../consumer/rust_plugin/rusty.json" "$output/rusty.grapnel.json"
mv "$work/rusty.so" "$output/rusty.so"
HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work XDG_CACHE_HOME=$work \
  "$grapnel" plugin validate "$output/rusty.so"
