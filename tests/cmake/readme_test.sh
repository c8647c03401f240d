#!/usr/bin/env bash
# What the README shows stands elsewhere too: the plugin in ten lines is the file in plugins/, and the
# loop is the one drawn above class Callback.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

# The first fenced block after a line that matches a pattern.
block_after() {
  awk -v pattern="$1" '$0 ~ pattern {found = 1} found && /^```/ {if (inside) exit; inside = 1; next} inside' README.md
}

diff <(block_after '^A whole plugin') plugins/loss_limit/loss_limit.cpp ||
  { echo "README.md shows another plugin than plugins/loss_limit/loss_limit.cpp"; exit 1; }

loop_of_header() {
  awk '/^\/\/   fit:$/ {inside = 1} inside && /^\/\/$/ {exit} inside' core/include/grapnel/callback.h | cut -c6-
}
diff <(block_after '^## The loop') <(loop_of_header) ||
  { echo "README.md draws another loop than core/include/grapnel/callback.h"; exit 1; }

# Every file and folder that the README links to exists.
grep -oE '\]\([^)#]+\)' README.md | tr -d '()]' | grep -v '^http' | sort -u | while read -r path; do
  [[ -e $path ]] || { echo "README.md links to $path, which is not there"; exit 1; }
done
echo "README.md is true"
