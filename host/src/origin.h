// The state of the file that an enabled plugin was copied from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <grapnel/host/discovery.h>
#include <grapnel/host/enabled.h>

namespace grapnel::host {

struct Origin {
  enum class State : std::uint8_t {
    same,         // the search path contains the enabled version
    changed,      // it contains another one, or the original file has changed
    gone,         // neither is there
    unreachable,  // it is not in the search path, and the original file can't be examined
  };
  State state = State::same;
  std::optional<Candidate> found{};  // the candidate found; empty when gone or unreachable
  std::string failure{};             // why it is unreachable: "cannot look at '/nfs/ema.so': ..."
};

// Looks for the plugin's id in the search path first, then at the path it came from. Reads a file
// only when its identity is not the recorded one. The plugin runs without the file, so problems
// with it are results, not errors.
[[nodiscard]] Origin look_at_origin(const EnabledPlugin& plugin, const Discovery& discovery);

// "grapnel plugin enable ema"; by its path when it is not in the search path.
[[nodiscard]] std::string enable_command(const Candidate& candidate);

}  // namespace grapnel::host
