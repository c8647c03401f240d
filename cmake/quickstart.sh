#!/usr/bin/env bash
# From a fresh Debian to a training with a plugin dropped in:
#
#   bash cmake/quickstart.sh
#
# Installs what is missing (Debian packages, LibTorch), builds the programs and the plugins, and trains on
# the embedded digits in build/quickstart. Run it from anywhere, as often as you like: it does only what
# is left to do. Nothing outside the repository changes but the packages and LibTorch in your cache: the
# demonstration has its own settings and its own store of plugins. cmake/README.md says more.
set -Eeuo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/setup/phases.sh"
source "$here/setup/packages.sh"
source "$here/setup/libtorch.sh"
source "$here/setup/build.sh"

script_begin quickstart
packages_install "$here/packages.txt"
libtorch_install "$here/libtorch.lock"
build_release programs plugins

phase_begin "training the embedded digits with a plugin, in build/quickstart"
demo=$repository/build/quickstart
rm -rf -- "$demo"
mkdir -p "$demo"
cd -- "$demo"
export XDG_CONFIG_HOME=$demo/settings XDG_DATA_HOME=$demo/store XDG_CACHE_HOME=$demo/cache
export PATH=$repository/build/release/bin:$PATH
unset GRAPNEL_PLUGINS GRAPNEL_PLUGIN_PATH

# Shows a command as a person would type it, and runs it.
show() {
  local word line=""
  for word in "$@"; do
    [[ $word =~ [^A-Za-z0-9_./=,:-] ]] && word="'$word'"
    line+=" $word"
  done
  printf '\n$%s\n' "$line"
  "$@" || die "'$line' ended with exit code $?" "see what it says above; the run's files are in $demo"
}

plugin=$repository/build/release/plugins/ema.so
settings=(--quiet --set trainer.seed=1)
printf '\n# A training as it comes.\n'
show grapnel fit "${settings[@]}" --set trainer.max_epochs=15

printf '\n# A plugin is a file in a directory: this one keeps an average of the weights and validates with it.\n'
show mkdir -p .grapnel/plugins
show cp "${plugin/#$repository/../..}" .grapnel/plugins/
show grapnel plugin list
show grapnel plugin enable ema

printf '\n# Enabled once, it takes part in every training: the same one, validated with the average.\n'
settings+=(--set callbacks.ema.decay=0.95)
show grapnel fit "${settings[@]}" --set trainer.max_epochs=15

printf '\n# Its state is in the checkpoint, under its own name.\n'
show grapnel checkpoint show runs/mlp-digits-1/checkpoints/last.ckpt

printf '\n# The training goes on where it was, with the average that the plugin had.\n'
show grapnel fit --set trainer.seed=1 --set callbacks.ema.decay=0.95 --ckpt last --set trainer.max_epochs=30 | tee resumed.txt
phase_end
say "-- everything: $(seconds_since "$script_started") s"

accuracy=$(awk '$1 == "val_acc" {value = $2} END {print value}' resumed.txt)
awk -v accuracy="$accuracy" 'BEGIN {exit !(accuracy >= 0.95)}' ||
  die "the validation accuracy is '$accuracy', below 0.95" "this is a fault of the program; its runs are in $demo/runs"
say "val_acc $accuracy"
