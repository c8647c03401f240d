// Extension outputs: the loss as a number, which StepOutput fetches once per step, and the other
// named tensors.
#include <grapnel/ext/outputs.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <grapnel/copy_on_write.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

StepOutput& checked_outputs(const InstanceHost& self, const grapnel_outputs* handle) {
  if (StepOutput* outputs = self.outputs.find(handle)) return *outputs;
  throw ContractBreach{"the outputs are not those of the running hook"};
}

// The plugin's own: a module may return its batch, which may be the data set.
grapnel_tensor* own_output(InstanceHost& self, const at::Tensor& tensor) {
  return self.tensors.own(detached_copy(tensor).tensor);
}

using NamedTensor = std::pair<std::string, at::Tensor>;

// The leaves of a prediction, their names joined by dots; a single tensor has an empty name.
void add_leaves(const TensorTree& tree, const std::string& name, std::vector<NamedTensor>& to) {
  if (tree.tensor.defined()) to.emplace_back(name, tree.tensor);
  std::size_t index = 0;
  for (const auto& [child_name, child] : tree.children) {
    const std::string own = child_name.empty() ? std::to_string(index) : child_name;
    add_leaves(child, name.empty() ? own : name + "." + own, to);
    ++index;
  }
}

std::vector<NamedTensor> named_tensors(const StepOutput& outputs) {
  std::vector<NamedTensor> all;
  for (const auto& [name, tensor] : outputs.extras) {
    if (tensor.defined()) all.emplace_back(name, tensor);
  }
  add_leaves(outputs.prediction, "", all);
  return all;
}

std::int32_t GRAPNEL_CALL loss(const grapnel_host* host, const grapnel_outputs* outputs,
                               double* value) noexcept {
  return service(host, "outputs.loss", [&](InstanceHost& self) {
    check_output(value);
    const std::optional<double> number = checked_outputs(self, outputs).loss_value();
    if (!number) return GRAPNEL_NOT_FOUND;
    *value = *number;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL loss_tensor(const grapnel_host* host, const grapnel_outputs* outputs,
                                      grapnel_tensor** owned) noexcept {
  return service(host, "outputs.loss_tensor", [&](InstanceHost& self) {
    check_output(owned);
    const StepOutput& from = checked_outputs(self, outputs);
    if (!from.loss.defined()) return GRAPNEL_NOT_FOUND;
    *owned = own_output(self, from.loss.detach());
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL count(const grapnel_host* host, const grapnel_outputs* outputs,
                                std::uint64_t* result) noexcept {
  return service(host, "outputs.count", [&](InstanceHost& self) {
    check_output(result);
    *result = named_tensors(checked_outputs(self, outputs)).size();
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL name(const grapnel_host* host, const grapnel_outputs* outputs,
                               std::uint64_t index, grapnel_string* result) noexcept {
  return service(host, "outputs.name", [&](InstanceHost& self) {
    check_output(result);
    const std::vector<NamedTensor> all = named_tensors(checked_outputs(self, outputs));
    if (index >= all.size()) return GRAPNEL_NOT_FOUND;
    *result = self.keep_text(all[index].first);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL get(const grapnel_host* host, const grapnel_outputs* outputs,
                              std::uint64_t index, grapnel_tensor** owned) noexcept {
  return service(host, "outputs.get", [&](InstanceHost& self) {
    check_output(owned);
    const std::vector<NamedTensor> all = named_tensors(checked_outputs(self, outputs));
    if (index >= all.size()) return GRAPNEL_NOT_FOUND;
    *owned = own_output(self, all[index].second);
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_step_outputs kOutputs = {
    sizeof(grapnel_step_outputs), 0, &loss, &loss_tensor, &count, &name, &get};

}  // namespace grapnel::bridge
