// Extension request: passed to the trainer, which knows where a request is possible and, from the
// dispatcher, whose it is.
#include <grapnel/ext/request.h>

#include <fmt/format.h>

#include <string>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

std::int32_t GRAPNEL_CALL request(const grapnel_host* host, std::int32_t kind,
                                  grapnel_string reason) noexcept {
  return service(host, "request", [&](InstanceHost& self) {
    if (kind < GRAPNEL_REQUEST_STOP || kind > GRAPNEL_REQUEST_SAVE) {
      throw NotSupported{fmt::format("there is no request of kind {}", kind)};
    }
    const std::string text = printable(checked_text(reason, "reason"));
    const auto wanted = static_cast<RequestKind>(kind);
    const Call& call = *self.call();
    if (!call.in_hook || call.trainer == nullptr) return GRAPNEL_NOT_NOW;
    const RunKind run = call.trainer->state().kind;
    if (run != RunKind::fit && run != RunKind::none) {
      // Plugins are in every run: one that stops a fit early must not fail a validation.
      if (wanted == RequestKind::stop) {
        self.log(LogLevel::debug,
                 fmt::format("{}: a stop ({}) means nothing to a run of the kind {}", call.name,
                             text, quote(to_string(run))));
        return GRAPNEL_OK;
      }
      return self.not_now(
          "request", fmt::format("{} is for a fit, this run is of the kind {}; ask only where the "
                                 "trainer's state has run == GRAPNEL_RUN_FIT",
                                 quote(to_string(wanted)), quote(to_string(run))));
    }
    try {
      call.trainer->request(wanted, text);
    } catch (const ConfigError& error) {
      return self.not_now("request", error.what());
    }
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_request kRequest = {sizeof(grapnel_request), 0, &request};

}  // namespace grapnel::bridge
