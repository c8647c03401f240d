/* Its code holds an address, which the loader has to write into it. */
#include "good.h"

__asm__(
    ".pushsection .text\n"
    "address_in_the_code: .quad pointed_at\n"
    ".popsection\n"
    ".pushsection .data\n"
    "pointed_at: .long 1\n"
    ".popsection\n");
GOOD_HOOKS(good_batch_end)
GOOD_PLUGIN(hooks, hostile_no_extension)
