// What has become of the file that an enabled plugin was copied from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <grapnel/host/discovery.h>
#include <grapnel/host/enabled.h>

namespace grapnel::host {

struct Origin {
  enum class State : std::uint8_t {
    same,         // the search path holds the very version that is enabled
    changed,      // it holds another one, or the file it came from is another one by now
    gone,         // neither is there
    unreachable,  // it is not in the search path, and whether the file is there can't be told
  };
  State state = State::same;
  std::optional<Candidate> found{};  // what is there instead; empty when gone or unreachable
  std::string failure{};             // why it is unreachable: "cannot look at '/nfs/ema.so': ..."
};

// Looks for the plugin's id in the search path first, then at the path it came from. Reads a file
// only when its identity is not the recorded one. The file is not needed for the plugin to run, so
// whatever is wrong with it is an answer.
[[nodiscard]] Origin look_at_origin(const EnabledPlugin& plugin, const Discovery& discovery);

// "grapnel plugin enable ema"; by its path where the search path does not lead to it.
[[nodiscard]] std::string enable_command(const Candidate& candidate);

}  // namespace grapnel::host
