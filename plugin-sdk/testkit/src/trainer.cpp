#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t trainer_state(const grapnel_host* host, const grapnel_trainer_state** state) {
  RecordingHost& self = RecordingHost::of(host);
  self.trainer.struct_size = sizeof(grapnel_trainer_state);
  if (self.shape == HostShape::grown) self.trainer.struct_size += sizeof self.after_trainer;
  self.trainer.run_directory = to_abi(self.run_directory);
  *state = &self.trainer;
  return GRAPNEL_OK;
}
const grapnel_trainer trainer_functions = {sizeof(grapnel_trainer), 0,
                                           service<trainer_state>("trainer.state")};

}  // namespace

const void* trainer_table() {
  return &trainer_functions;
}

}  // namespace grapnel::testkit
