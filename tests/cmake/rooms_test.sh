#!/usr/bin/env bash
# The rooms of core/src: a room includes only its own headers and those of lower floors. The floors, and the rooms of
# public headers without a source of their name, are those of the table in core/src/README.md.
source "$(dirname -- "${BASH_SOURCE[0]}")/testing.sh"

# rooms CORE: what is wrong in CORE/src and CORE/include/grapnel, one line each.
rooms() {
  local core=$1
  {
    # shellcheck disable=SC2016  # the backquotes are the table's
    sed -n 's/^| *\([0-9]\+\) *| *`\([a-z_]*\)\/` *|[^|]*|\(.*\)|$/table \1 \2 \3/p' "$core/src/README.md" | tr -d '`'
    (cd "$core/src" && find . -mindepth 2 -type f | sed 's/^\.\//file /')
    (cd "$core" && grep -rEno --include='*.h' --include='*.cpp' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]+"' \
      src include/grapnel | sed 's/^\([^:]*\):\([0-9]*\):[^"]*"\([^"]*\)"/include \1 \2 \3/')
  } | awk '
    function base(path) { sub(/.*\//, "", path); sub(/\.[^.]*$/, "", path); return path }
    function room_of_public(header) {
      if (header in extra) return extra[header]
      if (header ~ /\//) return substr(header, 1, index(header, "/") - 1)
      return stem[base(header)]
    }
    function name(room) { return room == "" || !(room in floor) ? "no room" : room " (floor " floor[room] ")" }
    $1 == "table" { floor[$3] = $2; for (i = 4; i <= NF; ++i) extra[$i] = $3 }
    $1 == "file" {
      room = substr($2, 1, index($2, "/") - 1)
      stem[base($2)] = room
      if ($2 == room "/README.md") described[room]
      else rooms[room]
      if (!(room in floor) && !(room in reported)) {
        reported[room]
        print "src/README.md: its table has no row for " room "/"
      }
    }
    $1 == "include" {
      from = $2; to = $4
      if (to ~ /^grapnel\/base\// || to == "grapnel/hooks.def" || to == "grapnel/export.h") next
      if (sub(/^src\//, "", from)) room = substr(from, 1, index(from, "/") - 1)
      else { sub(/^include\/grapnel\//, "", from); room = room_of_public(from) }
      if (to ~ /^grapnel\//) target = room_of_public(substr(to, 9))
      else target = substr(to, 1, index(to, "/") - 1)
      if (room in floor && target in floor && (room == target || floor[target] < floor[room])) next
      print $2 ":" $3 ": " name(room) " includes " to " of " name(target)
    }
    END { for (room in rooms) if (!(room in described)) print "src/" room ": it has no README.md" }'
}

finds_them() {
  mkdir -p core/src/{ground,middle,peer,top} core/include/grapnel/top
  cat >core/src/README.md <<'TABLE'
| Floor | Room | What | Public headers |
|---|---|---|---|
| 1 | `ground/` | Values. | `plain.h` |
| 2 | `middle/` | Things. | |
| 2 | `peer/` | Other things. | |
| 3 | `top/` | All. | `top/moved.h` |
TABLE
  touch core/src/{ground,middle,peer,top}/README.md
  printf '#include "ground/value.h"\n#include "grapnel/base/text.h"\n#include "grapnel/plain.h"\n' >core/src/middle/thing.cpp
  printf '#include <vector>\n#include "middle/thing.h"\n#include "grapnel/top/one.h"\n' >core/src/top/one.cpp
  printf '#include "grapnel/hooks.def"\n' >core/include/grapnel/plain.h
  printf '#include "grapnel/plain.h"\n' >core/include/grapnel/thing.h
  printf '#include "grapnel/thing.h"\n' >core/include/grapnel/top/one.h
  rooms core >run.out
  [[ ! -s run.out ]] || { cat run.out; return 1; }

  # The same, with an include of each forbidden kind.
  echo '#  include "grapnel/top/one.h"' >>core/src/middle/thing.cpp
  echo '#include "peer/other.h"' >>core/src/middle/thing.cpp
  echo '#include "grapnel/thing.h"' >>core/include/grapnel/plain.h
  echo '#include "grapnel/abi.h"' >>core/include/grapnel/plain.h
  mkdir core/src/attic
  echo '#include "ground/value.h"' >core/src/attic/box.cpp
  rooms core | sort >run.out
  (($(wc -l <run.out) == 7))
  expect_output 'src/middle/thing.cpp:4: middle (floor 2) includes grapnel/top/one.h of top (floor 3)'
  expect_output 'src/middle/thing.cpp:5: middle (floor 2) includes peer/other.h of peer (floor 2)'
  expect_output 'include/grapnel/plain.h:2: ground (floor 1) includes grapnel/thing.h of middle (floor 2)'
  expect_output 'include/grapnel/plain.h:3: ground (floor 1) includes grapnel/abi.h of no room'
  expect_output 'src/attic/box.cpp:1: no room includes ground/value.h of ground (floor 1)'
  expect_output 'src/README.md: its table has no row for attic/'
  expect_output 'src/attic: it has no README.md'
}
it "finds an include of a room on the same or a higher floor, and a room without a floor" finds_them

keeps_them() {
  (($(grep -c '^| [0-9]' "$sources/core/src/README.md") > 10))
  rooms "$sources/core" >run.out
  [[ ! -s run.out ]] || { echo "core/src/README.md says which rooms may include which:"; cat run.out; return 1; }
}
it "the rooms of core include only lower rooms" keeps_them

finish
