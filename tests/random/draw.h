// Random choices that are the same on every platform for the same seed, which the distributions of
// <random> are not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace grapnel::random_test {

class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}

  // SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
  uint64_t bits() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  double share() { return static_cast<double>(bits() >> 11U) * 0x1.0p-53; }  // [0, 1)
  bool chance(double probability) { return share() < probability; }
  // Both ends included.
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }
  template <class T>
  T one_of(const std::vector<T>& choices) {
    return choices[static_cast<size_t>(between(0, static_cast<int64_t>(choices.size()) - 1))];
  }
  std::string one_of(std::vector<const char*> choices) { return one_of<const char*>(choices); }

 private:
  uint64_t state_;
};

}  // namespace grapnel::random_test
