// A callback of a plugin that ships, from its library as it is.
#pragma once

#include <grapnel/base/json.h>
#include <grapnel/callback.h>

#include <string>

namespace grapnel::random_test {

// parameters: as run.json would give them, a filter included.
CallbackHandle shipped_plugin(const std::string& id, ConfigValue parameters);

}  // namespace grapnel::random_test
