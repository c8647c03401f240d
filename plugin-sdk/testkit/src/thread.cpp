#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t post(const grapnel_host* host, grapnel_posted run, grapnel_posted drop, void* data) {
  if (run == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost& self = RecordingHost::of(host);
  const std::lock_guard lock(self.posted_mutex);
  if (!self.takes_posted) return GRAPNEL_NOT_NOW;
  self.posted.push_back({run, drop, data});
  return GRAPNEL_OK;
}
const grapnel_thread thread_functions = {sizeof(grapnel_thread), 0,
                                         any_thread_service<post>("thread.post")};

}  // namespace

const void* thread_table() {
  return &thread_functions;
}

}  // namespace grapnel::testkit
