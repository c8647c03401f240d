#include "grapnel/checkpoint_pin.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "callbacks/checkpoint_files.h"

namespace grapnel {

namespace {

struct Pins {
  std::mutex mutex;
  std::vector<std::filesystem::path> paths;  // one for each pin
};

Pins& pins() {
  static auto& all = *new Pins;  // plugins may end theirs late
  return all;
}

}  // namespace

CheckpointPin::CheckpointPin(const std::filesystem::path& path)
    : path_(std::filesystem::absolute(path).lexically_normal()) {
  const std::scoped_lock lock(pins().mutex);
  pins().paths.push_back(path_);
}

CheckpointPin::~CheckpointPin() {
  if (path_.empty()) return;
  const std::scoped_lock lock(pins().mutex);
  auto& paths = pins().paths;
  paths.erase(std::find(paths.begin(), paths.end(), path_));
}

CheckpointPin::CheckpointPin(CheckpointPin&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

CheckpointPin& CheckpointPin::operator=(CheckpointPin&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

bool CheckpointPin::holds(const std::filesystem::path& file) {
  const std::scoped_lock lock(pins().mutex);
  return std::any_of(pins().paths.begin(), pins().paths.end(),
                     [&](const auto& pinned) { return would_remove(file, pinned); });
}

}  // namespace grapnel
