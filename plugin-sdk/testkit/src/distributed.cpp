// One process.
#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t process_info(const grapnel_host*, const grapnel_process_info** info) {
  static constexpr grapnel_process_info only = {sizeof(grapnel_process_info), 0, 0, 1, 0};
  *info = &only;
  return GRAPNEL_OK;
}
std::int32_t barrier(const grapnel_host*) {
  return GRAPNEL_OK;
}
std::int32_t all_reduce(const grapnel_host*, grapnel_tensor* tensor, std::int32_t reduction) {
  if (reduction < GRAPNEL_REDUCE_SUM || reduction > GRAPNEL_REDUCE_MAX) return GRAPNEL_UNSUPPORTED;
  return tensor == nullptr ? GRAPNEL_INVALID_ARGUMENT : GRAPNEL_OK;
}
std::int32_t broadcast(const grapnel_host*, grapnel_tensor* tensor, std::int64_t source) {
  return tensor == nullptr || source != 0 ? GRAPNEL_INVALID_ARGUMENT : GRAPNEL_OK;
}
const grapnel_distributed distributed_functions = {sizeof(grapnel_distributed),
                                                   0,
                                                   service<process_info>("distributed.info"),
                                                   service<barrier>("distributed.barrier"),
                                                   service<all_reduce>("distributed.all_reduce"),
                                                   service<broadcast>("distributed.broadcast")};

}  // namespace

const void* distributed_table() {
  return &distributed_functions;
}

}  // namespace grapnel::testkit
