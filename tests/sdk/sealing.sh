# shellcheck shell=bash
# Sourced by tests: whether a plugin's library is sealed, read from the file with binutils.

# readelf's table of symbols with one word a column, for bindings and types without a name, too.
symbols() { readelf "$1" -W "$2" | sed 's/<OS specific>: */OS/g'; }
# The dynamic symbols that a library defines, one a line.
exported() { symbols --dyn-syms "$1" | awk '$1 ~ /^[0-9]+:$/ && $7 != "UND" && $5 != "LOCAL" { print $8 }'; }
needed() { readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

# expect_sealed LIBRARY MANIFEST [LIBRARY THAT IT MAY NEED...]
expect_sealed() {
  local library=$1 manifest=$2 name
  [[ $(exported "$library") = grapnel_plugin_v0 ]] ||
    { echo "$library exports:"; exported "$library"; return 1; }
  for name in $(needed "$library"); do
    case $name in
      libc.so.6 | libm.so.6 | ld-linux-*.so.*) ;;
      *) [[ " ${*:3} " = *" $name "* ]] || { echo "$library needs $name"; return 1; } ;;
    esac
  done
  # STB_GNU_UNIQUE is binding 10, which readelf names only in files marked as GNU's.
  ! symbols -s "$library" | awk '$5 == "UNIQUE" || $5 == "OS10"' | grep . ||
    { echo "$library has unique symbols"; return 1; }
  readelf -dW "$library" | grep -q BIND_NOW || { echo "$library binds lazily"; return 1; }
  ! readelf -dW "$library" | grep -qE 'RPATH|RUNPATH|TEXTREL' ||
    { echo "$library has a search path or text relocations"; return 1; }
  ! readelf -lW "$library" | grep GNU_STACK | grep -q E || { echo "executable stack"; return 1; }
  expect_manifest "$library" "$manifest"
}

# The bytes of the note's description are those of the file.
expect_manifest() {
  local library=$1 manifest=$2 size
  size=$(stat -c %s "$manifest")
  objcopy --dump-section .note.grapnel=note.bin "$library" /dev/null
  [[ $(head -c 20 note.bin | tail -c 8 | tr -d '\0') = Grapnel ]] || { echo "no note"; return 1; }
  cmp <(tail -c +21 note.bin | head -c "$size") "$manifest"
}
