# shellcheck shell=bash
# Sourced by the set-up scripts: LibTorch. The user's own (CMAKE_PREFIX_PATH, LIBTORCH) is used if there is
# one. Otherwise the one in a lock file (cmake/libtorch.lock explains its lines) is downloaded and unpacked
# once in the user's cache, where FindLibTorch.cmake finds it.
#
# Rules: the directory with the lock's name is complete, because it is renamed into place; an interrupted
# download resumes; nothing is unpacked before its SHA-256 is verified; runs wait for each other.

libtorch_directory=""  # what libtorch_install found or installed: the one with include and lib

# libtorch_at DIRECTORY: sets libtorch_directory if a LibTorch is there, in its torch or libtorch, or above
# its share/cmake.
libtorch_at() {
  local below
  for below in "" /torch /libtorch /../..; do
    if [[ -e $1$below/lib/libtorch_cpu.so && -d $1$below/include/ATen ]]; then
      libtorch_directory=$(cd -- "$1$below" && pwd)
      return
    fi
  done
  return 1
}

# libtorch_of_user: takes the one that the environment names, if any.
libtorch_of_user() {
  local directory prefixes
  IFS=: read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}"
  for directory in "${prefixes[@]}"; do
    if [[ -n $directory ]] && libtorch_at "$directory"; then
      say "-- LibTorch: $libtorch_directory (CMAKE_PREFIX_PATH)"
      return
    fi
  done
  [[ -n ${LIBTORCH:-} ]] || return 1
  libtorch_at "$LIBTORCH" ||
    die "LIBTORCH is '$LIBTORCH', which has no LibTorch (no lib/libtorch_cpu.so and include/ATen)" \
      "correct it, or unset it to have LibTorch downloaded"
  say "-- LibTorch: $libtorch_directory (LIBTORCH)"
}

user_cache() {
  if [[ ${XDG_CACHE_HOME:-} == /* ]]; then
    say "$XDG_CACHE_HOME/grapnel"
  elif [[ -n ${HOME:-} ]]; then
    say "$HOME/.cache/grapnel"
  fi
}

# libtorch_install LOCK-FILE
libtorch_install() {
  local lock=$1 cache name
  ! libtorch_of_user || return 0
  cache=$(user_cache)
  [[ -n $cache ]] || die "neither XDG_CACHE_HOME nor HOME is set, one of which says where to keep LibTorch" "set one of them"
  name=$(sed -n 's/^name //p' "$lock")
  if [[ -d $cache/$name ]]; then
    say "-- LibTorch: $cache/$name"
  else
    phase_begin "LibTorch: installing $name in $cache"
    mkdir -p "$cache" 2>/dev/null ||
      die "cannot create $cache" "make it writable, or set XDG_CACHE_HOME to a directory that is"
    one_at_a_time "$cache/lock" "installs LibTorch"
    if [[ ! -d $cache/$name ]]; then
      mkdir -p "$cache/download"
      libtorch_download "$lock" "$cache"
      libtorch_unpack "$lock" "$cache" "$cache/$name"
    fi
    exec {lock_fd}>&-
    phase_end
  fi
  libtorch_directory=$cache/$name/torch
}

# libtorch_download LOCK-FILE CACHE: every part, whole and verified, in CACHE/download.
libtorch_download() {
  local lock=$1 cache=$2 key first second third url="" wheel="" total=0 missing=0 unpacked=0
  local mirror=${GRAPNEL_LIBTORCH_MIRROR:-https://files.pythonhosted.org}
  while read -r key first second third; do
    case $key in
      unpacked) unpacked=$first ;;
      wheel) wheel=$first ;;
      part)
        total=$((total + second))
        missing=$((missing + second - $(size_of "$cache/download/$wheel.$first")))
        ;;
    esac
  done <"$lock"
  # What is still to come, the wheels put together from their parts, and what is unpacked from them.
  need_space "$cache" $((missing + total + unpacked)) "LibTorch" "set XDG_CACHE_HOME to a roomier disk"
  ((missing == 0)) || say "   downloading $((missing / 1000000)) MB from $mirror"
  while read -r key first second third; do
    case $key in
      wheel) wheel=$first url=${mirror%/}$third/$first ;;
      part) download_part "$url" "$first" "$second" "$third" "$cache/download/$wheel.$first" ;;
    esac
  done <"$lock"
}

size_of() { stat -c %s -- "$1" 2>/dev/null || say 0; }

# download_part URL FIRST-BYTE BYTES SHA-256 FILE: resumes, tries three times, keeps partial downloads.
download_part() {
  local url=$1 first=$2 bytes=$3 expected=$4 file=$5 have attempt found
  local header=$file.header errors=$file.errors
  cleanup_paths+=("$header" "$errors")
  : >"$errors"
  for attempt in 1 2 3; do
    have=$(size_of "$file")
    ((have < bytes)) || break
    ((attempt == 1)) || sleep 1
    download_range "$url" "$((first + have))" "$((first + bytes - 1))" "$header" 2>"$errors" |
      head -c "$((bytes - have))" 2>>"$errors" >>"$file" || true
    if grep -q '^HTTP/[0-9.]* 200' "$header"; then
      rm -f -- "$file"
      die "$url: the server does not send parts of a file" \
        "set GRAPNEL_LIBTORCH_MIRROR to one that does (or to file:///DIR), or LIBTORCH to your own LibTorch"
    fi
  done
  have=$(size_of "$file")
  if ((have < bytes)); then
    need_space "$(dirname -- "$file")" $((bytes - have)) "the download"
    sed 's/^/   | /' "$errors" >&2
    die "$url: the download stopped after $have of $bytes bytes" \
      "check the network (a proxy: https_proxy; a mirror: GRAPNEL_LIBTORCH_MIRROR) and run this again: the download resumes"
  fi
  found=$(sha256sum -- "$file")
  if [[ ${found%% *} != "$expected" ]]; then
    rm -f -- "$file"
    die "$url: bytes $first to $((first + bytes - 1)) have SHA-256 ${found%% *}, not $expected; the download was deleted" \
      "run this again; if that fails too, the mirror or a proxy changes the file"
  fi
}

# download_range URL FIRST-BYTE LAST-BYTE HEADER-FILE: to standard output. Gives up on a stalled server.
download_range() {
  : >"$4"
  curl --silent --show-error --fail --location --connect-timeout 20 --speed-limit 1000 --speed-time 30 \
    --dump-header "$4" --range "$2-$3" -- "$1"
}

# libtorch_unpack LOCK-FILE CACHE TARGET: unpacks next to the target, renames, deletes the downloads.
libtorch_unpack() {
  local lock=$1 cache=$2 target=$3 key first second third wheel="" take=() scratch
  rm -rf -- "$cache"/unpack.*  # of a run that was killed; the lock says that no other is at work
  scratch=$(mktemp -d "$cache/unpack.XXXXXX")
  cleanup_paths+=("$scratch")
  mkdir "$scratch/tree"
  while read -r key first second third || [[ -n $key ]]; do
    case $key in
      wheel)
        unpack_wheel "$wheel" "$scratch" "${take[@]}"
        wheel=$scratch/$first take=()
        truncate -s "$second" "$wheel"
        ;;
      part)
        dd if="$cache/download/${wheel##*/}.$first" of="$wheel" bs=1M oflag=seek_bytes seek="$first" \
          conv=notrunc status=none
        ;;
      take) take+=("$first") ;;
    esac
  done <"$lock"
  unpack_wheel "$wheel" "$scratch" "${take[@]}"
  chmod -R u+rwX,go+rX "$scratch/tree"
  sync -f "$scratch/tree"
  mv -T -- "$scratch/tree" "$target"
  rm -rf -- "$scratch" "$cache/download"
}

# unpack_wheel WHEEL SCRATCH PATTERN...: into SCRATCH/tree.
unpack_wheel() {
  local wheel=$1 scratch=$2
  shift 2
  [[ -n $wheel ]] || return 0
  run_logged "unpacking ${wheel##*/}" \
    "if it says that the disk is full, free some space; then run this again" \
    unzip -q -o -d "$scratch/tree" "$wheel" "$@"
  rm -f -- "$wheel"
}
