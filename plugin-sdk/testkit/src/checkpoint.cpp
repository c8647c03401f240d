#include <limits>

#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t lend(const std::string& path, grapnel_string* text) {
  if (text == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  if (path.empty()) return GRAPNEL_NOT_FOUND;
  *text = to_abi(path);
  return GRAPNEL_OK;
}
std::int32_t last_checkpoint(const grapnel_host* host, grapnel_string* path) {
  return lend(RecordingHost::of(host).checkpoints.last, path);
}
std::int32_t best_checkpoint(const grapnel_host* host, grapnel_string* path, double* value) {
  const auto& checkpoints = RecordingHost::of(host).checkpoints;
  if (value == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  *value = checkpoints.best_value.value_or(std::numeric_limits<double>::quiet_NaN());
  return lend(checkpoints.best, path);
}
std::int32_t checkpoint_in_the_making(const grapnel_host* host, grapnel_string* path) {
  return lend(RecordingHost::of(host).checkpoints.writing, path);
}
std::int32_t pin_checkpoint(const grapnel_host* host, grapnel_string path, grapnel_string reason) {
  if (path.size == 0 || reason.size == 0) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost::of(host).pins.insert(text(path));
  return GRAPNEL_OK;
}
std::int32_t unpin_checkpoint(const grapnel_host* host, grapnel_string path) {
  if (path.size == 0) return GRAPNEL_INVALID_ARGUMENT;
  auto& pins = RecordingHost::of(host).pins;
  const auto found = pins.find(text(path));
  if (found == pins.end()) return GRAPNEL_NOT_FOUND;
  pins.erase(found);
  return GRAPNEL_OK;
}
const grapnel_checkpoint checkpoint_functions = {
    sizeof(grapnel_checkpoint),
    0,
    service<last_checkpoint>("checkpoint.last"),
    service<best_checkpoint>("checkpoint.best"),
    service<checkpoint_in_the_making>("checkpoint.writing"),
    service<pin_checkpoint>("checkpoint.pin"),
    service<unpin_checkpoint>("checkpoint.unpin")};

}  // namespace

const void* checkpoint_table() {
  return &checkpoint_functions;
}

}  // namespace grapnel::testkit
