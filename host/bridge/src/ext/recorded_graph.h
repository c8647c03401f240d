// What a plugin has recorded for the terms that it adds to the loss. The backward pass behind a hook
// frees what it recorded there: a term that is made of it later fails in LibTorch, which names nobody.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace grapnel::bridge {

class InstanceHost;

// Nodes of autograd's graph are numbered in each thread. Of one instance:
struct RecordedGraph {
  std::uint64_t call = 0;      // of the plugin, that records now or did so last
  std::uint64_t thread = 0;    // that recorded
  std::uint64_t begin = 0;     // the first node of this call
  std::uint64_t end = 0;       // behind its last one
  std::uint64_t outdated = 0;  // behind the last one of earlier calls
};

// Before and after nodes are recorded for the plugin.
void begin_recorded(InstanceHost& self);
void end_recorded(InstanceHost& self);

// Is a part of the term's graph of an earlier call? loss: what the term may be made of, too.
bool is_outdated(InstanceHost& self, const at::Tensor& term, const at::Tensor& loss);

}  // namespace grapnel::bridge
