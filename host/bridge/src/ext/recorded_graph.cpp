#include "recorded_graph.h"

#include <ATen/SequenceNumber.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/node.h>

#include <set>
#include <vector>

#include "../instance_host.h"

namespace grapnel::bridge {

void begin_recorded(InstanceHost& self) {
  RecordedGraph& graph = self.recorded_graph;
  if (graph.call == self.calls()) return;
  const std::uint64_t thread = at::RecordFunction::currentThreadId();
  const std::uint64_t next = at::sequence_number::peek();
  const std::uint64_t outdated = graph.thread == thread ? graph.end : 0;
  graph = {
      .call = self.calls(), .thread = thread, .begin = next, .end = next, .outdated = outdated};
}

void end_recorded(InstanceHost& self) {
  self.recorded_graph.end = at::sequence_number::peek();
}

// Nodes of this batch's forward pass, which an operator may have met too, lie between the calls: what
// is behind them is not looked at.
bool is_outdated(InstanceHost& self, const at::Tensor& term, const at::Tensor& loss) {
  begin_recorded(self);
  const RecordedGraph& graph = self.recorded_graph;
  const torch::autograd::Node* const of_loss = loss.defined() ? loss.grad_fn().get() : nullptr;
  std::set<const torch::autograd::Node*> seen;
  std::vector<const torch::autograd::Node*> waiting = {term.grad_fn().get()};
  while (!waiting.empty()) {
    const torch::autograd::Node* const node = waiting.back();
    waiting.pop_back();
    if (node == nullptr || node == of_loss || node->thread_id() != graph.thread) continue;
    if (!seen.insert(node).second) continue;
    if (node->sequence_nr() < graph.outdated) return true;
    if (node->sequence_nr() < graph.begin) continue;
    for (const torch::autograd::Edge& edge : node->next_edges()) {
      waiting.push_back(edge.function.get());
    }
  }
  return false;
}

}  // namespace grapnel::bridge
