#include "base_sharer.h"

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>

void base_sharer::log(const std::string& text) {
  grapnel::log_info("{}", text);
}

bool base_sharer::first_time(const std::string& key) {
  return grapnel::first_time(key);
}

void base_sharer::throw_config_error() {
  throw grapnel::ConfigError({"f", 1, 2}, "text", "key");
}

bool base_sharer::catches_checkpoint_error(void (*function)()) {
  try {
    function();
  } catch (const grapnel::CheckpointError&) {
    return true;
  } catch (...) {
  }
  return false;
}
