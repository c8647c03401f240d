// The numbers behind grapnel/repeated_part.h.
#pragma once

#include <cstdint>

namespace grapnel {

// A batch or a validation begins on this thread; its number.
uint64_t begin_part() noexcept;

// A checkpoint is put together that has this part done again; 0: none.
class RepeatedPart {
 public:
  explicit RepeatedPart(uint64_t number) noexcept;
  ~RepeatedPart();
  RepeatedPart(const RepeatedPart&) = delete;
  RepeatedPart& operator=(const RepeatedPart&) = delete;

 private:
  uint64_t outer_;
};

}  // namespace grapnel
