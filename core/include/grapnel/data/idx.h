// Files in the IDX format, as MNIST ships them.
//
//   bytes 0, 1   0
//   byte 2       type: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64
//   byte 3       number of dimensions D
//   4 D bytes    sizes, big-endian uint32
//   the rest     the numbers, row by row, big-endian
//
// (Yann LeCun, "The MNIST database of handwritten digits".) A file may come from anybody: what it
// claims is checked against its size before anything is allocated.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <span>

#include "grapnel/export.h"

namespace grapnel {

// The tensor of a file, of its shape and dtype. DataError with the path, saying what was found,
// when the file is not a well-formed one; IoError when it can't be read.
GRAPNEL_CORE_API at::Tensor read_idx(const std::filesystem::path& path);

// The same from memory; `name` is shown as the path in errors.
GRAPNEL_CORE_API at::Tensor parse_idx(std::span<const std::byte> bytes,
                                      const std::filesystem::path& name);

}  // namespace grapnel
