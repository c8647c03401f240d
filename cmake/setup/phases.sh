# shellcheck shell=bash
# Sourced by the set-up scripts: messages about each step, its duration, and what to do when it failed. The
# output of other programs goes to a log file; its end is shown only when something failed.
#
#   phase_begin "building"; run_logged "the build" "see the errors above" cmake --build ...; phase_end

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
script_name=""
script_started=0
log_file=""
phase_started=0
cleanup_paths=()

say() { printf '%s\n' "$*"; }

# die WHAT-FAILED HOW-TO-FIX-IT: the last lines of a run that failed.
die() {
  trap - ERR
  printf '\nfailed: %s\n' "$1" >&2
  printf 'fix:    %s\n' "$2" >&2
  exit 1
}

now_ms() { local t=${EPOCHREALTIME/[.,]/}; printf '%s' "$((t / 1000))"; }

# seconds_since MS: for instance 12.3
seconds_since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

phase_begin() {
  say "-- $1"
  phase_started=$(now_ms)
}

# phase_end [NOTE]
phase_end() {
  say "   ${1:+$1, }$(seconds_since "$phase_started") s"
}

# Starts a script: opens its log file, and reports errors that no command reports itself.
script_begin() {
  script_name=$1
  script_started=$(now_ms)
  trap 'die "$BASH_COMMAND (line $LINENO, in ${FUNCNAME[0]:-$script_name.sh})" "this is a bug in the script; its log is $log_file"' ERR
  trap 'script_cleanup' EXIT
  mkdir -p "$repository/build" 2>/dev/null ||
    die "cannot create $repository/build" "make $repository writable, or free space on its disk"
  log_file=$repository/build/$script_name.log
  : 2>/dev/null >"$log_file" ||
    die "cannot write $log_file" "make it writable, or free space on its disk"
}

script_cleanup() {
  ((${#cleanup_paths[@]} == 0)) || rm -rf -- "${cleanup_paths[@]}"
}

# run_logged WHAT WHAT-TO-DO COMMAND...: runs it with its output in the log; shows the log's end and
# stops the script when it fails.
run_logged() {
  local what=$1 todo=$2 from
  shift 2
  from=$(($(stat -c %s "$log_file") + 1))
  printf '$ %s\n' "$*" >>"$log_file"
  if ! "$@" >>"$log_file" 2>&1; then
    tail -c "+$from" "$log_file" | tail -n 25 | sed 's/^/   | /' >&2
    die "$what (the whole log: $log_file)" "$todo"
  fi
}

# need_space DIRECTORY BYTES WHAT: stops before a disk is filled.
need_space() {
  local directory=$1 needed=$2 what=$3 free
  free=$(df --output=avail -B1 -- "$directory" | tail -n 1)
  if ((free < needed)); then
    die "$what needs $((needed / 1000000)) MB in $directory, where $((free / 1000000)) MB are free" \
      "free some space there${4:+, or $4}, and run this again"
  fi
}

# one_at_a_time FILE WHAT: holds a lock on the file until the script ends; waits for another run's.
one_at_a_time() {
  local fd
  exec {fd}>>"$1" || die "cannot open the lock file $1" "make it writable"
  if ! flock -n "$fd"; then
    say "   waiting for another run that $2"
    flock "$fd"
  fi
  lock_fd=$fd
}
