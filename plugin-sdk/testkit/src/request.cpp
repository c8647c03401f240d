#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t request(const grapnel_host* host, std::int32_t kind, grapnel_string reason) {
  RecordingHost& self = RecordingHost::of(host);
  if (self.failing.count("request") != 0) return self.pending = true, GRAPNEL_PENDING;
  if (kind < GRAPNEL_REQUEST_STOP || kind > GRAPNEL_REQUEST_SAVE) return GRAPNEL_UNSUPPORTED;
  if (self.trainer.stage == GRAPNEL_STAGE_NONE) return GRAPNEL_NOT_NOW;
  self.requests.push_back({kind, text(reason)});
  return GRAPNEL_OK;
}
const grapnel_request request_functions = {sizeof(grapnel_request), 0,
                                           service<request>("request.request")};

}  // namespace

const void* request_table() {
  return &request_functions;
}

}  // namespace grapnel::testkit
