#include <algorithm>

#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t find_operator(const grapnel_host* host, grapnel_string name, grapnel_string overload,
                           const grapnel_operator** op) {
  const std::string full = text(name) + (overload.size != 0 ? "." + text(overload) : "");
  RecordingHost& self = RecordingHost::of(host);
  if (self.missing.count(full) != 0) return GRAPNEL_NOT_FOUND;
  if (!fake_aten_knows(full)) return self.unknown_operators.insert(full), GRAPNEL_NOT_FOUND;
  static std::set<std::string> names;  // the handle of an operator is its name
  *op = reinterpret_cast<const grapnel_operator*>(&*names.insert(full).first);
  return GRAPNEL_OK;
}
// "aten::add_.Scalar": it returns its first argument.
bool is_in_place(const std::string& name) {
  const std::size_t end = std::min(name.find('.'), name.size());
  return end > 0 && name[end - 1] == '_' && name.find("_foreach_") == std::string::npos;
}
std::int32_t call_operator(const grapnel_host* host, const grapnel_operator* op,
                           const grapnel_value* arguments, std::uint64_t argument_count,
                           grapnel_value* results, std::uint64_t result_count) {
  if (op == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost& self = RecordingHost::of(host);
  const std::string& name = *reinterpret_cast<const std::string*>(op);
  self.calls.push_back(name);
  std::vector<grapnel_value> returned;
  const bool fails = self.failing.count(name) != 0;
  const std::int32_t status =
      fails ? GRAPNEL_PENDING : fake_aten_call(self, name, arguments, argument_count, returned);
  if (status == GRAPNEL_PENDING) self.pending = true;
  if (status != GRAPNEL_OK) return status;
  if (returned.empty() && result_count == 1 && is_in_place(name) && argument_count > 0 &&
      arguments[0].tag == GRAPNEL_VALUE_TENSOR) {
    grapnel_value self_again{};
    self_again.tag = GRAPNEL_VALUE_TENSOR;
    self_again.u.tensor = self.new_handle(RecordingHost::tensor(arguments[0].u.tensor));
    returned.push_back(self_again);
  }
  if (result_count > returned.size()) return GRAPNEL_INVALID_ARGUMENT;
  std::copy_n(returned.begin(), result_count, results);
  for (std::size_t i = result_count; i < returned.size(); ++i) {
    if (returned[i].tag == GRAPNEL_VALUE_TENSOR) self.drop(returned[i].u.tensor);
    for (std::uint64_t k = 0; returned[i].tag == GRAPNEL_VALUE_TENSOR_LIST && k < returned[i].size;
         ++k) {
      self.drop(returned[i].u.tensors[k]);
    }
  }
  return GRAPNEL_OK;
}

// Arguments by name need schemas, which the kit doesn't have.
std::int32_t describe_operator(const grapnel_host*, const grapnel_operator*,
                               const grapnel_operator_info**) {
  return GRAPNEL_UNSUPPORTED;
}
std::int32_t call_named(const grapnel_host*, const grapnel_operator*, const grapnel_string*,
                        const grapnel_value*, std::uint64_t, grapnel_value*, std::uint64_t) {
  return GRAPNEL_UNSUPPORTED;
}
const grapnel_aten aten_functions = {sizeof(grapnel_aten),
                                     0,
                                     service<find_operator>("aten.find"),
                                     service<call_operator>("aten.call"),
                                     service<describe_operator>("aten.describe"),
                                     service<call_named>("aten.call_named")};

}  // namespace

const void* aten_table() {
  return &aten_functions;
}

}  // namespace grapnel::testkit
