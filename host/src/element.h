// Elements of a safetensors file's tensors as doubles.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace grapnel::host {

// Reads element `index` of data of a dtype; nullptr for a dtype that this doesn't know. Integers of
// 64 bits are rounded.
using ReadElement = double (*)(std::span<const std::byte> data, std::size_t index);
[[nodiscard]] ReadElement element_reader(std::string_view dtype) noexcept;

}  // namespace grapnel::host
