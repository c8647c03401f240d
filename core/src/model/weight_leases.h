// What stands in the place of a model's own weights for a while: an average during validation, masks
// while a pruned model computes.
//
// Changes of one tensor stack. Of several replacements the last one counts; masks apply on top of it,
// whichever was taken first, so a pruned model validated with its average is still pruned. Changes may
// end in any order: what then stands in the tensor's place follows from those that are left.
//
// Tensors are told apart by identity, not by name: pruning gives entries other names meanwhile, and tied
// weights have two.
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

  // A name for changes to come, so that the way to end them can be made first.
  Id reserve() { return ++last_id_; }
  // Applies the changes; if one cannot be (no memory for a product), none is, and it throws.
  void take(Id id, Kind kind, const std::vector<Change>& changes);
  // Nothing happens when there are none of that name. Throws when a mask that is left cannot be applied anew;
  // all changes of that name have ended then too.
  void end(Id id);
  // Leaves everything as it stands, for when the model is gone.
  void forget() { weights_.clear(); }

  // The tensor as it is trained: what `live` held before the first change, or holds now if there is none.
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
