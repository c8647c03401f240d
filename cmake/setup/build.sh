# shellcheck shell=bash
# Sourced by the set-up scripts: configures and builds the release preset in build/release.

# build_release TARGET... : `all` for everything.
build_release() {
  local tree=$repository/build/release target arguments=()
  mkdir -p "$tree"
  one_at_a_time "$tree/.lock" "builds here"
  for target in "$@"; do arguments+=(--target "$target"); done
  cd -- "$repository"
  local cmake=(env "LIBTORCH=$libtorch_directory" cmake)  # the build may configure again, too
  # The build configures again by itself when CMake's files change; not when LibTorch is another one, or when
  # there are packages now that it looked for in vain.
  if [[ ! -f $tree/build.ninja || -n ${packages_installed:-} ]] ||
    ! grep -qxF "GRAPNEL_LIBTORCH_FOUND_AT:INTERNAL=$libtorch_directory" "$tree/CMakeCache.txt"; then
    phase_begin "configuring build/release"
    run_logged "configuring" \
      "see what CMake says above; if the source directory was moved, delete build/release and run this again" \
      "${cmake[@]}" --preset release
    phase_end
  fi
  phase_begin "building ${*/#all/everything}"
  run_logged "the build" \
    "see what the compiler says above (a full disk or too little memory say so there too), then run this again: what is built stays" \
    "${cmake[@]}" --build --preset release "${arguments[@]}"
  phase_end
}
