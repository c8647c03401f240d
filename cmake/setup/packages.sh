# shellcheck shell=bash
# Sourced by the set-up scripts: Debian packages. apt runs only when something is missing, as root or with
# sudo; without either the message gives the command to run.

# packages_in FILE...: the names in lists such as cmake/packages.txt (one per line, # comments).
packages_in() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' -- "$@"; }

# packages_missing NAME...: those that are not installed.
packages_missing() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' -- "$@" 2>/dev/null | sed -n 's/^installed //p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

# packages_install FILE... : packages_installed says whether there was something to install.
packages_installed=
packages_install() {
  local names missing as_root=() install
  if ! command -v dpkg-query >/dev/null; then
    say "-- packages: no dpkg here, so the packages of $(basename -a -- "$@" | paste -sd' ') are assumed to be installed"
    return
  fi
  mapfile -t names < <(packages_in "$@")
  mapfile -t missing < <(packages_missing "${names[@]}")
  if ((${#missing[@]} == 0)); then
    say "-- packages: all ${#names[@]} are installed"
    return
  fi

  install="apt-get install -y --no-install-recommends ${missing[*]}"
  if (($(id -u) != 0)); then
    if ! command -v sudo >/dev/null; then
      die "packages are missing, and there are neither root rights nor sudo to install them" \
        "run as root: apt-get update && $install"
    elif [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; then
      die "packages are missing, and sudo needs a password, but there is no terminal to type it" \
        "run: sudo apt-get update && sudo $install"
    fi
    as_root=(sudo)
  fi

  phase_begin "packages: installing ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300
    -o Dpkg::Use-Pty=0)
  local todo="check the network and apt's sources, then run this again; by hand: apt-get update && $install"
  run_logged "apt-get update" "$todo" "${apt[@]}" update
  run_logged "apt-get install" "$todo" "${apt[@]}" install -y --no-install-recommends "${missing[@]}"
  packages_installed=yes
  phase_end
}
