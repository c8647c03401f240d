/* It has a symbol that is the same in all libraries of the process, as an inline variable of C++ is. */
#include "good.h"

__asm__(
    ".pushsection .data\n"
    ".globl shared_by_all\n"
    ".type shared_by_all, @gnu_unique_object\n"
    ".size shared_by_all, 4\n"
    "shared_by_all: .long 1\n"
    ".popsection\n");
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
