// A shared library that has base linked into it, as the core library has.
#pragma once

#include <string>

namespace base_sharer {

__attribute__((visibility("default"))) void log(const std::string& text);
__attribute__((visibility("default"))) bool first_time(const std::string& key);
__attribute__((visibility("default"))) void throw_config_error();
// True when an exception that the function throws is caught here as a grapnel::CheckpointError.
__attribute__((visibility("default"))) bool catches_checkpoint_error(void (*function)());

}  // namespace base_sharer
