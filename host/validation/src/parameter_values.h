// Values for a callback's parameters that its manifest accepts.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <grapnel/host/manifest.h>
#include <grapnel/testkit/recording_host.h>

namespace grapnel::validation {

enum class Parameters : std::uint8_t {
  usual,     // the defaults; of a required one, a value in its range
  smallest,  // each at the minimum that it declares, the first choice, the shortest list
  largest,   // each at its maximum, the last choice, the longest list
  null,      // null where that is accepted
};

using ParameterValues = std::map<std::string, testkit::RecordingHost::Param>;

[[nodiscard]] ParameterValues parameter_values(const host::CallbackManifest& callback,
                                               Parameters which);
// Whether these differ from the usual ones.
[[nodiscard]] bool has_other_values(const host::CallbackManifest& callback, Parameters which);

}  // namespace grapnel::validation
