// Values without gradients: a term must have been made while they were recorded.
#include <cmath>

#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t begin_recording(const grapnel_host* host) {
  RecordingHost& self = RecordingHost::of(host);
  if (!self.step_loss) return GRAPNEL_NOT_NOW;
  if (self.is_recording) return GRAPNEL_INVALID_ARGUMENT;
  self.is_recording = true;
  return GRAPNEL_OK;
}
std::int32_t end_recording(const grapnel_host* host) {
  RecordingHost& self = RecordingHost::of(host);
  if (!self.step_loss) return GRAPNEL_NOT_NOW;
  if (!self.is_recording) return GRAPNEL_INVALID_ARGUMENT;
  self.is_recording = false;
  return GRAPNEL_OK;
}
std::int32_t step_loss(const grapnel_host* host, grapnel_tensor** owned) {
  RecordingHost& self = RecordingHost::of(host);
  if (!self.step_loss) return GRAPNEL_NOT_NOW;
  *owned = self.new_handle(FakeTensor::scalar(*self.step_loss));
  return GRAPNEL_OK;
}
std::int32_t add_term(const grapnel_host* host, grapnel_string name, const grapnel_tensor* term) {
  RecordingHost& self = RecordingHost::of(host);
  if (!is_text(name) || name.size == 0 || term == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (!self.step_loss) return GRAPNEL_NOT_NOW;
  const FakeTensor& tensor = *RecordingHost::tensor(const_cast<grapnel_tensor*>(term));
  if (tensor.values.size() != 1 || !std::isfinite(tensor.values[0])) {
    return self.pending = true, GRAPNEL_PENDING;
  }
  self.loss_terms.emplace_back(text(name), tensor.values[0]);
  return GRAPNEL_OK;
}
const grapnel_autograd autograd_functions = {sizeof(grapnel_autograd),
                                             0,
                                             service<begin_recording>("autograd.begin_recording"),
                                             service<end_recording>("autograd.end_recording"),
                                             service<step_loss>("autograd.step_loss"),
                                             service<add_term>("autograd.add_term")};

}  // namespace

const void* autograd_table() {
  return &autograd_functions;
}

}  // namespace grapnel::testkit
