// The order of an epoch: a permutation that depends on a seed and the epoch's number alone, the
// same with every compiler and on every machine, and that no other generator has a part in.
#pragma once

#include <cstdint>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

// 0 ... size - 1, shuffled by Fisher and Yates from the last place down. The numbers come from
// std::mt19937_64, seeded with mix_bits of both arguments; one below n is the upper half of the
// 128-bit product with n, drawn again where that would be biased (Lemire, "Fast Random Integer
// Generation in an Interval", 2019).
GRAPNEL_CORE_API std::vector<int64_t> permutation(int64_t size, uint64_t seed, uint64_t epoch);

// A 64-bit hash of two numbers: SplitMix64's finalizer (Steele, Lea and Flood, 2014), twice.
GRAPNEL_CORE_API uint64_t mix_bits(uint64_t a, uint64_t b);

}  // namespace grapnel
