#include <grapnel/bridge/running_plugin.h>

namespace grapnel::bridge::detail {

constinit thread_local std::atomic<const RunningPlugin*> running_plugin = nullptr;
std::atomic<bool> is_forked_child = false;

}  // namespace grapnel::bridge::detail
