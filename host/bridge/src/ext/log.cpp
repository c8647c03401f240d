// Extension log. [any-thread]
#include <grapnel/ext/log.h>

#include <optional>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

std::optional<LogLevel> level_of(std::int32_t level) {
  switch (level) {
    case GRAPNEL_LOG_DEBUG:
      return LogLevel::debug;
    case GRAPNEL_LOG_INFO:
      return LogLevel::info;
    case GRAPNEL_LOG_WARNING:
      return LogLevel::warning;
    case GRAPNEL_LOG_ERROR:
      return LogLevel::error;
    default:
      return std::nullopt;
  }
}

std::int32_t GRAPNEL_CALL write(const grapnel_host* host, std::int32_t level,
                                grapnel_string text) noexcept {
  return any_thread_service(host, [&](InstanceHost& self) {
    const auto known = level_of(level);
    if (!is_text(text)) return GRAPNEL_INVALID_ARGUMENT;
    if (!known) return GRAPNEL_UNSUPPORTED;
    self.log_limited(*known, view(text));
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL once(const grapnel_host* host, std::int32_t level, grapnel_string key,
                               grapnel_string text) noexcept {
  return any_thread_service(host, [&](InstanceHost& self) {
    const auto known = level_of(level);
    if (!is_text(text) || !is_text(key)) return GRAPNEL_INVALID_ARGUMENT;
    if (!known) return GRAPNEL_UNSUPPORTED;
    self.log_once_limited(*known, view(key), view(text));
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_log kLog = {sizeof(grapnel_log), 0, &write, &once};

}  // namespace grapnel::bridge
