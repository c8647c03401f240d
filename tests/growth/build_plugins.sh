#!/usr/bin/env bash
# Builds the shipped plugins against the longer SDK.
#
#   build_plugins.sh SOURCES LONGER OUTPUT     LONGER/plugin-sdk is the SDK; OUTPUT, where the libraries go
set -Eeuo pipefail
sources=$1
longer=$2
output=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/grapnel-test-XXXXXX")
trap 'rm -rf -- "$work"' EXIT
cmake -S "$sources/tests/growth/plugins" -B "$work" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
  "-DGRAPNEL=$sources" "-DLONGER=$longer" "-DGRAPNEL_PLUGIN_OUTPUT_DIRECTORY=$output"
cmake --build "$work"
