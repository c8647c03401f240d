#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t plugin_info(const grapnel_host*, const grapnel_plugin_info** info) {
  static const grapnel_plugin_info recorded = {sizeof recorded,    0,
                                               to_abi("probe"),    to_abi("1.2.3"),
                                               to_abi("it"),       to_abi("slow"),
                                               to_abi("/plugins"), to_abi("2.15.0")};
  *info = &recorded;
  return GRAPNEL_OK;
}
std::int32_t data_directory(const grapnel_host* host, grapnel_string* path) {
  *path = to_abi(RecordingHost::of(host).data_directory);
  return GRAPNEL_OK;
}
const grapnel_plugin_services plugin_functions = {sizeof plugin_functions, 0,
                                                  service<plugin_info>("plugin.info"),
                                                  service<data_directory>("plugin.data_directory")};

}  // namespace

const void* plugin_table() {
  return &plugin_functions;
}

}  // namespace grapnel::testkit
