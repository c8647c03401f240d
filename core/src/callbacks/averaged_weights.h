// An average of a model's weights beside them: what WeightAveraging and StochasticWeightAveraging
// keep. Entries are found by their names in the model's state view.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/module.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// The new average from the present one, the model's tensor and the number of models averaged before;
// all three on the average's device, without autograd.
using AverageFunction = std::function<at::Tensor(const at::Tensor& average, const at::Tensor& model,
                                                 int64_t n_averaged)>;

class AveragedWeights {
 public:
  struct Entry {
    std::string name;
    at::Tensor average;
    bool is_parameter;
    bool persistent;
  };

  bool empty() const { return entries_.empty(); }
  void clear();
  const std::vector<Entry>& entries() const { return entries_; }
  int64_t n_averaged() const { return n_averaged_; }
  void set_n_averaged(int64_t n) { n_averaged_ = n; }

  // A copy of every parameter and buffer, on the device (nothing: each where it is).
  void start(Module& module, const std::optional<at::Device>& device);
  void move_to(const at::Device& device);
  // Takes one more model in: the first is copied, later ones go through `function` (empty: the mean
  // of all of them). buffers: average them too.
  void update(Module& module, const AverageFunction& function, bool buffers);
  // Copies the model's buffers.
  void follow_buffers(Module& module);
  // Writes the average into the model; parameters alone, or buffers too.
  void copy_to(Module& module, bool buffers) const;

  // The tensors that stand in checkpoints, live, by name.
  StateDict state() const;
  // Copies those that are there. Throws CheckpointError for another shape, having changed nothing.
  void load(const StateDict& state);

 private:
  std::vector<Entry> entries_;
  int64_t n_averaged_ = 0;
};

// "cpu", "cuda:0", ...; nothing for an empty text. Throws ConfigError, naming `who`.
std::optional<at::Device> averaging_device(const std::string& text, const char* who);

}  // namespace grapnel
