#include <grapnel/bridge/running_plugin.h>

namespace grapnel::bridge::detail {

std::atomic<const RunningPlugin*> running_plugin = nullptr;

}  // namespace grapnel::bridge::detail
