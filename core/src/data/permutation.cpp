#include "grapnel/data/permutation.h"

#include <numeric>
#include <random>
#include <utility>

namespace grapnel {

namespace {

uint64_t finalize(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// The upper half of a 128-bit product; spelled out because not every compiler has such numbers.
std::pair<uint64_t, uint64_t> multiply(uint64_t a, uint64_t b) {
  const uint64_t a_low = a & 0xffffffff, a_high = a >> 32;
  const uint64_t b_low = b & 0xffffffff, b_high = b >> 32;
  const uint64_t low = a_low * b_low;
  const uint64_t middle = a_high * b_low + (low >> 32);
  const uint64_t cross = a_low * b_high + (middle & 0xffffffff);
  return {a_high * b_high + (middle >> 32) + (cross >> 32), (cross << 32) | (low & 0xffffffff)};
}

uint64_t below(uint64_t n, std::mt19937_64& random) {
  const uint64_t biased = (0 - n) % n;
  while (true) {
    const auto [high, low] = multiply(random(), n);
    if (low >= biased) return high;
  }
}

}  // namespace

uint64_t mix_bits(uint64_t a, uint64_t b) {
  return finalize(finalize(a) ^ b);
}

std::vector<int64_t> permutation(int64_t size, uint64_t seed, uint64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(mix_bits(seed, epoch));
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[below(i, random)]);
  return order;
}

}  // namespace grapnel
