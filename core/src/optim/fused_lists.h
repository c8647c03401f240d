// What a fused kernel takes: the parameters of a group that have a gradient, in lists of one device
// and dtype each, with their gradients and lists of their state.
//
// Building such lists costs more than the update of a small model, so they are kept from step to
// step and rebuilt only when other parameters have a gradient than last time. The kernels walk
// the memory of parameter, gradient and state side by side, so all of these have to be laid out
// alike; gradients that aren't are copied, parameters with gaps are refused.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "grapnel/optimizer.h"

namespace grapnel {

class FusedLists {
 public:
  struct List {
    std::vector<at::Tensor> params;
    std::vector<at::Tensor> grads;
    // One list per name of state, in the order in which the state function gives them.
    std::vector<std::vector<at::Tensor>> state;
    int variant = 0;
  };

  // What a parameter brings along when lists are built. Parameters of another variant come into
  // another list.
  struct Member {
    std::vector<at::Tensor> state = {};
    int variant = 0;
  };
  using MemberOf = std::function<Member(const at::Tensor& param)>;
  using Kernel = std::function<void(List& list)>;

  // Calls the kernel on each list of the group. `layout` numbers which state the options ask for:
  // when it changes, lists are rebuilt. Throws ConfigError, before any kernel ran, for a sparse
  // gradient or one of another dtype or device than its parameter's.
  void update(const Optimizer& optimizer, const ParamGroup& group, int layout,
              const MemberOf& member_of, const Kernel& kernel);

  // Forgets all lists: the state's tensors or the groups are no longer the same.
  void clear() { groups_.clear(); }

 private:
  struct Group {
    int layout = 0;
    std::vector<const c10::TensorImpl*> members = {};    // parameters with a gradient, in order
    std::vector<std::pair<size_t, size_t>> places = {};  // of each: list, index in it
    std::vector<List> lists = {};
  };
  std::vector<List>& gather(size_t index, const ParamGroup& group, int layout,
                            const MemberOf& member_of);
  static void build(Group& cached, const ParamGroup& group, const MemberOf& member_of);
  std::vector<Group> groups_;
};

// A tensor of zeros laid out as the parameter is.
at::Tensor zeros_for(const at::Tensor& param);

// A float32 counter of a parameter's steps, starting at 0, and one step further for a list.
at::Tensor new_step(const at::Tensor& param);
void advance_steps(std::vector<at::Tensor>& steps);

}  // namespace grapnel
