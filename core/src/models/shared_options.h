// The rows of options that all models have, for their tables.
#pragma once

#include <vector>

#include "grapnel/base/options_table.h"

namespace grapnel {

struct AnyOrNull : OptionType<ConfigValue> {
  static void describe(ParameterSpec& spec) {
    OptionType::describe(spec);
    spec.is_nullable = true;
  }
};

// "optimizer" and "scheduler"
template <class O>
std::vector<Option<O>> training_options() {
  return {option("optimizer", &O::optimizer)
              .doc("The optimizer: its name, or an object with its options."),
          option<AnyOrNull>("scheduler", &O::scheduler)
              .doc("The learning-rate scheduler; null: none.")};
}

}  // namespace grapnel
