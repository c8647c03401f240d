#!/usr/bin/env bash
# The rules of plugin-sdk/include/grapnel/ext/draft, in this tree and in copies that break them.
source "$(dirname -- "${BASH_SOURCE[0]}")/../cmake/testing.sh"

# obeys TREE: says what breaks a rule, and fails then.
obeys() {
  local include=$1/plugin-sdk/include/grapnel header ids broken=0
  for header in "$include"/ext/draft/*.h; do
    [[ -e $header ]] || continue
    ids=$(grep -oE '^#define GRAPNEL_EXT_[A-Z_]+ ".*"$' "$header" || true)
    if ! [[ $ids =~ ^"#define GRAPNEL_EXT_"[A-Z_]+' "grapnel.'[a-z_]+'/draft.'[1-9][0-9]*'"'$ ]]; then
      echo "$header: one id that ends in /draft.N is expected, found: ${ids:-none}"
      broken=1
    fi
  done
  if grep -rnE '"[^"]*/draft\.[0-9]*"' "$include" --include='*.h' --include='*.hpp' --exclude-dir=draft; then
    echo "ids of drafts belong into ext/draft"
    broken=1
  fi
  if grep -rnE '#include.*draft/' "$include" --include='*.h' --include='*.hpp'; then
    echo "drafts are included by plugins alone"
    broken=1
  fi
  if grep -nE '/draft\.' "$1"/plugins/*/plugin.json; then
    echo "plugins that ship use no draft"
    broken=1
  fi
  return "$broken"
}

copy() {
  mkdir -p tree/plugin-sdk
  cp -R "$sources/plugin-sdk/include" tree/plugin-sdk/
  cp -R "$sources/plugins" tree/
}
# breaks FILE TEXT: a copy with that text in that file breaks a rule.
breaks() {
  rm -rf tree
  copy
  echo "$2" >>"tree/$1"
  ! obeys tree
}

this_tree() { obeys "$sources"; }
it "the SDK and the plugins that ship obey the rules of drafts" this_tree

a_draft() {
  copy
  echo '#define GRAPNEL_EXT_THING "grapnel.thing/draft.2"' >tree/plugin-sdk/include/grapnel/ext/draft/thing.h
  obeys tree
}
it "a draft has an id that ends in /draft.N" a_draft

broken() {
  local ext=plugin-sdk/include/grapnel/ext
  breaks $ext/draft/thing.h '#define GRAPNEL_EXT_THING "grapnel.thing/1"'
  breaks $ext/draft/thing.h '#define GRAPNEL_EXT_THING "grapnel.thing/draft.0"'
  breaks $ext/draft/thing.h 'typedef int no_id;'
  breaks $ext/log.h '#define GRAPNEL_EXT_THING "grapnel.thing/draft.1"'
  breaks $ext/layout.h '#include "draft/thing.h"'
  breaks plugin-sdk/include/grapnel/plugin.hpp '#include <grapnel/ext/draft/thing.h>'
  breaks plugins/ema/plugin.json '"grapnel.thing/draft.1"'
}
it "a draft with another id, a promised header that names one, and a shipped plugin that uses one are found" broken

finish
