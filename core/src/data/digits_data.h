// The embedded bytes of the digits data set: two IDX files (core/data/digits).
#pragma once

#include <cstddef>
#include <span>

namespace grapnel {

std::span<const std::byte> digits_images();
std::span<const std::byte> digits_labels();

}  // namespace grapnel
