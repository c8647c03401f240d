#!/usr/bin/env bash
# A training on a disk that gets full, a tmpfs of its own: one error, whole checkpoints, the state saved
# elsewhere and named, and a resume once there is room.
#
#   full_disk_test.sh GRAPNEL        exits with 77 (skipped) where mounting is not allowed
set -euo pipefail
grapnel=$1

if [ "${2-}" != inside ]; then
  for way in "unshare --mount" "unshare --user --map-root-user --mount"; do
    if $way mount -t tmpfs tmpfs /mnt 2> /dev/null; then exec $way "$0" "$grapnel" inside; fi
  done
  echo "skipped: mounting is not allowed here"
  exit 77
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/grapnel-test-XXXXXX")
trap 'umount "$work/disk" 2> /dev/null; rm -rf "$work"' EXIT
export HOME=$work/home TMPDIR=$work
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
mkdir "$work/disk" "$work/here" "$HOME"
mount -t tmpfs -o size=120k tmpfs "$work/disk"
cd "$work/here"

fail() {
  echo "FAILED: $1"
  cat "$work/log"
  ls -la "$work/disk/run/checkpoints" "$work/here"
  exit 1
}

fit=("$grapnel" fit --quiet --run-dir "$work/disk/run" --set trainer.seed=1)
status=0
"${fit[@]}" --set trainer.max_epochs=6 > "$work/log" 2>&1 || status=$?
[ "$status" = 6 ] || fail "exit code $status instead of 6"
# Rows that are missing from the logs are told besides.
grep '^grapnel: error:' "$work/log" | grep -v ' logs' > "$work/errors" || fail "no error"
[ "$(wc -l < "$work/errors")" = 1 ] || fail "not exactly one error"
grep -q 'No space left on device' "$work/errors" || fail "the error doesn't say why"
"$grapnel" checkpoint verify "$work"/disk/run/checkpoints/*.ckpt > "$work/verified" 2>&1 || fail "a damaged checkpoint"
[ -e "$work/disk/run/checkpoints/last.ckpt" ] || fail "last.ckpt leads nowhere"
rescued=$(ls "$work"/here/rescued-*.ckpt) || fail "no state was saved elsewhere"
"$grapnel" checkpoint verify "$rescued" > "$work/verified" || fail "the rescued state is damaged"
grep -q "$(basename "$rescued")" "$work/log" || fail "the rescued state is not named"

mount -o remount,size=20m "$work/disk"
"${fit[@]}" --ckpt last --set trainer.max_epochs=6 > "$work/log" 2>&1 || fail "the resume failed"
"$grapnel" fit --quiet --run-dir "$work/here/whole" --set trainer.seed=1 --set trainer.max_epochs=6 > "$work/log" 2>&1 \
  || fail "the undisturbed training failed"
"$grapnel" checkpoint diff --below state_dict "$work/disk/run/checkpoints/last.ckpt" \
  "$work/here/whole/checkpoints/last.ckpt" > "$work/log" || fail "other weights than undisturbed"
if find "$work/disk/run" -name '.*.tmp-*' | grep -q .; then fail "temporaries are left"; fi
echo "one error, whole checkpoints, $(basename "$rescued"), and a resume to the same weights"
