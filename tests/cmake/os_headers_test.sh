#!/usr/bin/env bash
# Headers of an operating system stand in the files that are for it alone: NAME_posix.cpp, NAME_windows.cpp and
# windows_NAME.{h,cpp}. (Plugins are not checked: each is independent and has no such layer to share.)
source "$(dirname -- "${BASH_SOURCE[0]}")/testing.sh"

posix='unistd|fcntl|poll|pwd|grp|dlfcn|spawn|signal|termios|pthread|sched|semaphore|dirent|ftw|glob|fnmatch'
posix+='|netdb|syslog|ucontext|execinfo|link|elf|libgen|langinfo|nl_types|utime|wordexp|libproc|aio|mqueue'
posix+='|(sys|net|netinet|arpa|linux|mach|mach-o|libkern|asm|bits)/[a-z0-9_/]+'
windows='windows|winsock2?|ws2tcpip|windef|winbase|io|direct|process|conio|share|bcrypt|wincrypt|aclapi|sddl'
windows+='|shlobj|shlwapi|psapi|tlhelp32|dbghelp|crtdbg|intrin|versionhelpers|processthreadsapi'

# os_headers DIRECTORY...: the includes that stand in the wrong file.
os_headers() {
  grep -rEn --include='*.h' --include='*.hpp' --include='*.c' --include='*.cpp' --include='*.def' \
    --exclude='*_posix.cpp' --exclude='*_windows.cpp' --exclude='windows_*.h' --exclude='windows_*.cpp' \
    "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($posix|$windows)\.h>" "$@" || (($? == 1))
}

finds_them() {
  mkdir -p src
  echo '#include <unistd.h>' >src/a.cpp
  echo '#  include <sys/stat.h>' >src/b.h
  printf '#if defined(_WIN32)\n#include <windows.h>\n#endif\n' >src/c.hpp
  echo '#include <dlfcn.h>' >src/d.c
  echo '#include <unistd.h>' >src/a_posix.cpp
  echo '#include <windows.h>' >src/windows_error.h
  printf '#include <csignal>\n#include <system_error>\n#include <grapnel/io.h>\n' >src/e.cpp
  os_headers src | sort >run.out
  (($(wc -l <run.out) == 4))
  expect_output 'src/a.cpp:1:#include <unistd.h>'
  expect_output 'src/b.h:1:#  include <sys/stat.h>'
  expect_output 'src/c.hpp:2:#include <windows.h>'
  expect_output 'src/d.c:1:#include <dlfcn.h>'
}
it "finds an operating system's header in any file" finds_them

# The digest is the system's own on Windows and OpenSSL's elsewhere, in one file with what both share.
only_there() {
  cd "$sources"
  local found
  found=$(os_headers core host plugin-sdk | grep -v '^core/base/src/digest\.cpp:[0-9]*:#include <bcrypt\.h>$' || true)
  [[ -z $found ]] || { echo "move this to the file of its system:"; echo "$found"; return 1; }
}
it "core, host and plugin-sdk include such headers in the files of that system alone" only_there

finish
