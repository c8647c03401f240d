// A batch normalization layer of a model, as callbacks see it. Its parameters and running
// statistics are entries of the state view, below its name ("backbone.1.running_mean").
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace grapnel {

struct BatchNormLayer {
  std::string name;  // "backbone.1"
  // Share of the newest batch in the running statistics; nothing: their plain average over all
  // batches since num_batches_tracked was 0.
  std::function<std::optional<double>()> momentum;
  std::function<void(std::optional<double>)> set_momentum;
};

}  // namespace grapnel
