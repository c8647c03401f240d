// A thread's floating-point environment: rounding, denormals and exception masks. Loading a library
// built with -ffast-math changes it for the whole process.
//
// Reading it takes nanoseconds, so it can be checked around every hook. The sticky exception flags
// ("inexact happened") are not included.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif !defined(__aarch64__)
#include <cfenv>
#endif

namespace grapnel::bridge {

class FloatingPoint {
 public:
  static FloatingPoint current() noexcept;
  // Only what compiled code uses and -ffast-math changes, for a comparison around every hook; the
  // rest is zero.
  static FloatingPoint current_fast() noexcept;
  // Whether current_fast() would still read what it read here.
  bool is_still_fast() const noexcept;
  void apply() const noexcept;
  // This one, with what current_fast() reads taken from `fast`.
  FloatingPoint with_fast(const FloatingPoint& fast) const noexcept;
  bool operator==(const FloatingPoint&) const = default;

 private:
#if defined(__x86_64__) || defined(_M_X64)
  std::uint32_t sse_ = 0;  // MXCSR without its sticky flags: FTZ, DAZ, rounding, masks
  std::uint16_t x87_ = 0;  // control word of long double arithmetic
#elif defined(__aarch64__)
  std::uint64_t fpcr_ = 0;
#else
  int rounding_ = 0;
#endif
};

#if defined(__x86_64__) || defined(_M_X64)
namespace detail {
inline constexpr std::uint32_t kSseFlags = 0x3f;
}

inline FloatingPoint FloatingPoint::current() noexcept {
  FloatingPoint state;
  state.sse_ = _mm_getcsr() & ~detail::kSseFlags;
#if defined(__GNUC__)
  __asm__ __volatile__("fnstcw %0" : "=m"(state.x87_));
#endif
  return state;
}

inline FloatingPoint FloatingPoint::current_fast() noexcept {
  FloatingPoint state;
  state.sse_ = _mm_getcsr() & ~detail::kSseFlags;
  return state;
}

inline bool FloatingPoint::is_still_fast() const noexcept {
  return ((_mm_getcsr() ^ sse_) & ~detail::kSseFlags) == 0;
}

inline FloatingPoint FloatingPoint::with_fast(const FloatingPoint& fast) const noexcept {
  FloatingPoint state = *this;
  state.sse_ = fast.sse_;
  return state;
}

inline void FloatingPoint::apply() const noexcept {
  _mm_setcsr(sse_ | (_mm_getcsr() & detail::kSseFlags));
#if defined(__GNUC__)
  __asm__ __volatile__("fldcw %0" : : "m"(x87_));
#endif
}
#elif defined(__aarch64__)
inline FloatingPoint FloatingPoint::current() noexcept {
  FloatingPoint state;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(state.fpcr_));
  return state;
}

inline FloatingPoint FloatingPoint::current_fast() noexcept {
  return current();
}

inline bool FloatingPoint::is_still_fast() const noexcept {
  return current_fast() == *this;
}

inline void FloatingPoint::apply() const noexcept {
  __asm__ __volatile__("msr fpcr, %0" : : "r"(fpcr_));
}

inline FloatingPoint FloatingPoint::with_fast(const FloatingPoint& fast) const noexcept {
  return fast;
}
#else
inline FloatingPoint FloatingPoint::current() noexcept {
  FloatingPoint state;
  state.rounding_ = std::fegetround();
  return state;
}

inline FloatingPoint FloatingPoint::current_fast() noexcept {
  return current();
}

inline bool FloatingPoint::is_still_fast() const noexcept {
  return current_fast() == *this;
}

inline void FloatingPoint::apply() const noexcept {
  std::fesetround(rounding_);
}

inline FloatingPoint FloatingPoint::with_fast(const FloatingPoint& fast) const noexcept {
  return fast;
}
#endif

}  // namespace grapnel::bridge
