// An average of a model's weights: what WeightAveraging and StochasticWeightAveraging keep.
//
// Entries are found by their names in the model's state view. Of a pruned parameter the dense
// tensor is averaged, and masks are not.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/module.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// The new average from the present one, the model's tensor and the number of models averaged
// before; all three on the average's device, without autograd.
using AverageFunction = std::function<at::Tensor(const at::Tensor& average, const at::Tensor& model,
                                                 int64_t n_averaged)>;

// How the average takes a model in.
struct AverageRule {
  // Empty: the mean of all models.
  AverageFunction function;
  // The model's share of the new average, 0 to 1, where function(average, model, n) is average +
  // share (model - average): then tensors of floating types are averaged by few operations for all
  // of them, and the function has only the others. Unset: the function has all.
  std::optional<double> share;
};

class AveragedWeights {
 public:
  struct Entry {
    std::string name;
    at::Tensor average;
    bool is_parameter;
    bool persistent;
    size_t place;  // in the model's state view when it was last looked up
  };

  bool empty() const { return entries_.empty(); }
  void clear();
  const std::vector<Entry>& entries() const { return entries_; }
  int64_t n_averaged() const { return n_averaged_; }
  void set_n_averaged(int64_t n) { n_averaged_ = n; }

  // A copy of every parameter and buffer, on the device (nothing: each where it is).
  void start(Module& module, const std::optional<at::Device>& device);
  void move_to(const at::Device& device);
  // To where the model's entries are now.
  void follow_devices(Module& module);
  // Takes one more model in: the first is copied, later ones go through `rule`. buffers: average
  // them too.
  void update(Module& module, const AverageRule& rule, bool buffers);
  // Copies the model's buffers.
  void follow_buffers(Module& module);
  // Writes the average into the model; parameters alone, or buffers too.
  void copy_to(Module& module, bool buffers) const;

  // The averages of entries that the model still has, by name.
  std::vector<std::pair<std::string, at::Tensor>> in_model(Module& module) const;

  // The averages that are saved in checkpoints, live, by name.
  StateDict state() const;
  // Copies those that the state has. Throws CheckpointError for another shape, having changed
  // nothing.
  void load(const StateDict& state);

 private:
  std::vector<Entry> entries_;
  int64_t n_averaged_ = 0;
};

// "cpu", "cuda:0", ...; nothing for an empty text. Throws ConfigError, naming `who`.
std::optional<at::Device> averaging_device(const std::string& text, const char* who);

}  // namespace grapnel
