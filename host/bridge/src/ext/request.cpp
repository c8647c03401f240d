// Extension request: passed to the trainer, which knows from the dispatcher whose it is.
#include <grapnel/ext/request.h>

#include <fmt/format.h>

#include <string>

#include <grapnel/base/text.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

// Hooks in which nothing is left that could be stopped, or nothing has begun.
bool outside_of_run(Hook hook) {
  switch (hook) {
    case Hook::on_init_start:
    case Hook::on_init_end:
    case Hook::teardown:
    case Hook::on_exception:
    case Hook::on_run_end:
      return true;
    default:
      return false;
  }
}

bool has_meaning(RequestKind kind, const Call& call) {
  const Hook hook = call.hook;
  if (call.custom) return kind != RequestKind::skip_batch && kind != RequestKind::skip_step;
  switch (kind) {
    case RequestKind::stop:
      return !outside_of_run(hook);
    case RequestKind::skip_batch:
      return hook == Hook::on_train_batch_start;
    case RequestKind::skip_step:
      return hook == Hook::on_before_optimizer_step;
    case RequestKind::end_epoch:
    case RequestKind::evaluate:
    case RequestKind::save:
      return is_within_training_batch(hook);
  }
  return false;
}

std::int32_t GRAPNEL_CALL request(const grapnel_host* host, std::int32_t kind,
                                  grapnel_string reason) noexcept {
  return service(host, "request", [&](InstanceHost& self) {
    if (kind < GRAPNEL_REQUEST_STOP || kind > GRAPNEL_REQUEST_SAVE) {
      throw ContractBreach{fmt::format("there is no request of kind {}", kind)};
    }
    const std::string text = printable(checked_text(reason, "reason"));
    const auto wanted = static_cast<RequestKind>(kind);
    const Call& call = *self.call();
    if (!call.in_hook || call.trainer == nullptr) return GRAPNEL_NOT_NOW;
    const RunKind run = call.trainer->state().kind;
    if (run != RunKind::fit && !outside_of_run(call.hook)) {
      // Plugins stand in every run: one that stops a fit early must not fail a validation.
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
    if (!has_meaning(wanted, call)) return GRAPNEL_NOT_NOW;
    call.trainer->request(wanted, text);
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_request kRequest = {sizeof(grapnel_request), 0, &request};

}  // namespace grapnel::bridge
