#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t log_write(const grapnel_host* host, std::int32_t level, grapnel_string line) {
  static const char* const names[] = {"debug", "info", "warning", "error"};
  if (level < 0 || level > 3) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost& self = RecordingHost::of(host);
  const std::lock_guard<std::mutex> lock(self.mutex);
  self.log.push_back(std::string(names[level]) + ": " + text(line));
  return GRAPNEL_OK;
}
std::int32_t log_once(const grapnel_host* host, std::int32_t level, grapnel_string key,
                      grapnel_string line) {
  RecordingHost& self = RecordingHost::of(host);
  bool is_first = false;
  {
    const std::lock_guard<std::mutex> lock(self.mutex);
    is_first = self.once_keys.insert(text(key)).second;
  }
  return is_first ? log_write(host, level, line) : GRAPNEL_OK;
}
const grapnel_log log_functions = {sizeof(grapnel_log), 0,
                                   any_thread_service<log_write>("log.write"),
                                   any_thread_service<log_once>("log.once")};

}  // namespace

const void* log_table() {
  return &log_functions;
}

}  // namespace grapnel::testkit
