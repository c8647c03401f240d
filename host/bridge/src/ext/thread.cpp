// Extension thread: PluginInstance calls what was posted.
#include <grapnel/ext/thread.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

std::int32_t GRAPNEL_CALL post(const grapnel_host* host, grapnel_posted run, grapnel_posted drop,
                               void* data) noexcept {
  return any_thread_service(host, [&](InstanceHost& self) {
    if (run == nullptr) {
      constexpr std::string_view line = "broke the contract of thread.post: the function is NULL";
      self.log_once(LogLevel::warning, line, line);
      return GRAPNEL_INVALID_ARGUMENT;
    }
    try {
      return self.posted.post({run, drop, data}) ? GRAPNEL_OK : GRAPNEL_NOT_NOW;
    } catch (...) {  // no memory for it
      return GRAPNEL_NOT_NOW;
    }
  });
}

}  // namespace

const grapnel_thread kThread = {sizeof(grapnel_thread), 0, &post};

}  // namespace grapnel::bridge
