#!/bin/sh
# Writes event files with the given program and reads them with the tensorboard package, which is installed
# into the given directory the first time. Skips (77) where Python, pip or the package can't be had.
#   tensorboard_reader_test.sh WRITER DIRECTORY
set -eu
writer=$1
place=$2
here=$(cd "$(dirname "$0")" && pwd)
skip() {
  echo "skipped: $1"
  exit 77
}

if ! "$place/bin/python3" -c 'import tensorboard' 2>/dev/null; then
  command -v python3 >/dev/null || skip "there is no python3"
  python3 -m venv "$place" >/dev/null 2>&1 || skip "python3 can't make a virtual environment"
  "$place/bin/python3" -m pip install --quiet --disable-pip-version-check 'tensorboard==2.20.0' 'setuptools<81' \
    || skip "pip can't install tensorboard"
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
"$writer" "$logs"
"$place/bin/python3" "$here/tensorboard_reader_test.py" "$logs"
