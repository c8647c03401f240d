#!/usr/bin/env bash
# Every C and C++ file that git tracks is formatted as .clang-format says. Versions of clang-format
# differ in details, so only the one of Debian 12 judges; without it the test is skipped (status 77).
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

formatter=""
for candidate in clang-format-14 clang-format; do
  if [[ $("$candidate" --version 2>/dev/null) == *"version 14."* ]]; then formatter=$candidate; fi
done
if [[ -z $formatter ]]; then
  echo "skipped: no clang-format 14 here"
  exit 77
fi
if [[ ! -e .git ]]; then
  echo "skipped: not a git checkout, so nothing says which files are the project's"
  exit 77
fi

# Files that are deleted in the working tree are still listed; they have no format.
git -c safe.directory="$PWD" ls-files -z -- '*.h' '*.hpp' '*.c' '*.cc' '*.cpp' |
  while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
  xargs -0 --no-run-if-empty "$formatter" --dry-run -Werror ||
  { echo "fix: git ls-files '*.h' '*.hpp' '*.c' '*.cc' '*.cpp' | xargs $formatter -i"; exit 1; }
