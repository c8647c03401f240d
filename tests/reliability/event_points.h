// The scalars in the event files of TensorBoard in a directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

namespace grapnel::reliability {

struct EventPoints {
  // By tag and step; of several the last.
  std::map<std::pair<std::string, std::int64_t>, float> scalars;
  int doubled = 0;  // scalars that had the tag and step of one before
};

// Files in the order of their names; a record that is cut off ends its file.
EventPoints read_event_points(const std::filesystem::path& directory);

}  // namespace grapnel::reliability
