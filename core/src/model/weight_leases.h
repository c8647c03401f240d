// Temporary replacements of a model's weights: an average during validation, masks while a pruned
// model computes.
//
// Changes of one tensor stack. Of several replacements the last one taken counts; masks apply on
// top of it, whichever was taken first, so a pruned model validated with its average is still
// pruned. Changes may end in any order; the tensor's value always follows from those that are left.
//
// Tensors are told apart by identity, not by name: tied weights have two names.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

namespace grapnel {

class WeightLeases {
 public:
  enum class Kind { replacement, mask };
  struct Change {
    at::Tensor live;    // the model's tensor
    at::Tensor tensor;  // of the same shape, on the same device; a replacement of the same type too
  };
  using Id = uint64_t;

  // An id for changes to come, so that their undo can be set up first.
  Id reserve() { return ++last_id_; }
  // Applies the changes, or throws and applies none (no memory for a product).
  void take(Id id, Kind kind, const std::vector<Change>& changes);
  // Does nothing for an unknown id. Throws if a remaining mask cannot be reapplied; the id's
  // changes are gone even then.
  void end(Id id);
  // Drops all changes without undoing them, for when the model is gone.
  void forget() { weights_.clear(); }

  // The trained values: what `live` held before the first change; `live` itself without changes.
  at::Tensor training(const at::Tensor& live) const;
  // The replacement that counts, without masks; undefined when there is none.
  at::Tensor replacement(const at::Tensor& live) const;

 private:
  struct Layer {
    Id id;
    Kind kind;
    at::Tensor tensor;
  };
  struct Weight {
    at::Tensor live;
    at::Tensor training;
    std::vector<Layer> layers;
  };
  static void apply(Weight& weight);

  std::map<const c10::TensorImpl*, Weight> weights_;
  Id last_id_ = 0;
};

}  // namespace grapnel
