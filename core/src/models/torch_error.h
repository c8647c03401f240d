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

// Makes a layer. Throws ConfigError naming the option of the larger side when LibTorch can't.
template <class Make>
auto make_layer(const LayerSide& in, const LayerSide& out, Make&& make) {
  try {
    return make();
  } catch (const std::exception& error) {
    throw ConfigError::of(in.size > out.size ? in.option : out.option,
                          "a layer from {} ({}) to {} ({}) can't be made: {}", in.size, in.option,
                          out.size, out.option, first_line_of(error));
  }
}

}  // namespace grapnel
