// Errors of LibTorch, in a line.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include "grapnel/base/error.h"

namespace grapnel {

// The first line that says something: the others are a stack trace or the source of a script.
std::string first_line_of(const std::exception& error);

// One side of a layer, and the option that sets it.
struct LayerSide {
  const char* option;
  int64_t size;
};

// Makes a layer. Throws ConfigError naming the option of the larger side when there isn't the memory
// for its weights, the one thing that stops LibTorch from making a layer of sizes from 1 on.
template <class Make>
auto make_layer(const LayerSide& in, const LayerSide& out, Make&& make) {
  try {
    return make();
  } catch (const std::exception&) {
    const char* larger = in.size > out.size ? in.option : out.option;
    const double bytes = 4.0 * static_cast<double>(in.size) * static_cast<double>(out.size);
    throw ConfigError::of(larger,
                          "a layer from {} ({}) to {} ({}) can't be made: there isn't the memory "
                          "for its weights, {:.2g} bytes or more; {} must be smaller",
                          in.size, in.option, out.size, out.option, bytes, larger);
  }
}

}  // namespace grapnel
