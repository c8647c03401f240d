# shellcheck shell=bash
# What quickstart.sh ends with: a training on the embedded digits, and the same with a plugin dropped in, in
# build/quickstart. Runs in the repository's root, with build/release built:
#
#   source cmake/setup/demonstration.sh; demonstrate
#
# A test compares what it prints with docs/quickstart.md.

# Shows a command as a person would type it, and runs it.
show() {
  local word line=""
  for word in "$@"; do
    [[ $word =~ [^A-Za-z0-9_./=,:-] ]] && word="'$word'"
    line+=" $word"
  done
  printf '\n$%s\n' "$line"
  "$@" || die "'$line' ended with exit code $?" "see what it says above; the run's files are in $PWD"
}

demonstrate() {
  local demo=$PWD/build/quickstart
  rm -rf -- "$demo"
  mkdir -p "$demo"
  export XDG_CONFIG_HOME=$demo/settings XDG_DATA_HOME=$demo/store XDG_CACHE_HOME=$demo/cache
  export PATH=$PWD/build/release/bin:$PATH
  unset GRAPNEL_PLUGINS GRAPNEL_PLUGIN_PATH
  cd -- "$demo"

  printf '\n# A training with all defaults: the MLP on the embedded digits.\n'
  show grapnel fit --quiet --set trainer.seed=1 --set trainer.max_epochs=15

  printf '\n# A plugin is a file in a directory: this one keeps an average of the weights and validates with it.\n'
  show mkdir -p .grapnel/plugins
  show cp ../../build/release/plugins/ema.so .grapnel/plugins/
  show grapnel plugin list
  show grapnel plugin enable ema

  printf '\n# Once enabled, it runs in every training: the same training, validated with the average.\n'
  local settings=(--set trainer.seed=1 --set callbacks.ema.decay=0.95)
  show grapnel fit --quiet "${settings[@]}" --set trainer.max_epochs=15

  printf "\n# The plugin's state is in the checkpoint, under its id.\n"
  show grapnel checkpoint show runs/mlp-digits-1/checkpoints/last.ckpt

  printf "\n# The training resumes with the plugin's average.\n"
  show grapnel fit "${settings[@]}" --ckpt last --set trainer.max_epochs=30 | tee resumed.txt
}

# The last validation accuracy that the demonstration printed. Fails below 0.95.
demonstrated_accuracy() {
  local accuracy
  accuracy=$(awk '$1 == "val_acc" {value = $2} END {print value}' resumed.txt)
  awk -v accuracy="$accuracy" 'BEGIN {exit !(accuracy >= 0.95)}' ||
    die "the validation accuracy is '$accuracy', below 0.95" "this is a bug in the program; its runs are in $PWD/runs"
  say "val_acc $accuracy"
}
