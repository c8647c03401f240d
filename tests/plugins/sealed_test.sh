#!/usr/bin/env bash
# The plugins that ship are sealed, and hold their manifests.
#
#   sealed_test.sh DIRECTORY PLUGIN...     where they are built
built_in=$1
plugins=("${@:2}")
set --
source "$(dirname -- "${BASH_SOURCE[0]}")/../cmake/testing.sh"
source "$(dirname -- "${BASH_SOURCE[0]}")/../sdk/sealing.sh"

# System libraries that a plugin is linked to by name.
declare -A uses=([http_metrics]=libcurl.so.4)
sealed() {
  expect_sealed "$built_in/$plugin.so" "$sources/plugins/$plugin/plugin.json" "${uses[$plugin]:-}"
}
beside() { cmp "$built_in/$plugin.grapnel.json" "$sources/plugins/$plugin/plugin.json"; }
for plugin in "${plugins[@]}"; do
  it "$plugin is sealed" sealed
  it "$plugin has its manifest next to it, too" beside
done
finish
