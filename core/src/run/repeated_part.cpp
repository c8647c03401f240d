#include "run/parts.h"

#include <utility>

#include "grapnel/repeated_part.h"

namespace grapnel {

namespace {

thread_local uint64_t present = 0;
thread_local uint64_t repeated = 0;

}  // namespace

uint64_t present_part() noexcept {
  return present;
}

uint64_t repeated_part() noexcept {
  return repeated;
}

uint64_t begin_part() noexcept {
  return ++present;
}

RepeatedPart::RepeatedPart(uint64_t number) noexcept : outer_(std::exchange(repeated, number)) {}

RepeatedPart::~RepeatedPart() {
  repeated = outer_;
}

}  // namespace grapnel
