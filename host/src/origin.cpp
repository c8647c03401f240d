#include "origin.h"

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>

namespace grapnel::host {
namespace {

bool is_enabled_version(const EnabledPlugin& plugin, const Candidate& candidate) {
  if (candidate.library == plugin.origin && file_stamp(candidate.identity) == plugin.origin_stamp) {
    return true;
  }
  try {
    return hex(sha256_file(candidate.library)) == plugin.digest;
  } catch (const Error&) {
    return false;  // it can't be read, so it can't be the same either
  }
}

}  // namespace

Origin look_at_origin(const EnabledPlugin& plugin, const Discovery& discovery) {
  Origin origin;
  try {
    if (const Candidate* candidate = discovery.find(plugin.id)) {
      origin.found = *candidate;
    } else if (file_identity(plugin.origin)) {
      origin.found = examine(plugin.origin);
    } else {
      return {.state = Origin::State::gone};
    }
  } catch (const Error& error) {
    return {.state = Origin::State::unreachable, .failure = error.what()};
  }
  origin.state =
      is_enabled_version(plugin, *origin.found) ? Origin::State::same : Origin::State::changed;
  return origin;
}

std::string enable_command(const Candidate& candidate) {
  return "grapnel plugin enable " + (candidate.origin == SearchOrigin::file
                                         ? quote(candidate.library.string())
                                         : candidate.summary.id);
}

}  // namespace grapnel::host
