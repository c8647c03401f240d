// Extension autograd: terms of the loss, through the event of on_before_backward.
#include <grapnel/ext/autograd.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/clone.h>
#include <fmt/format.h>

#include <string>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/events.h>
#include <grapnel/loss_terms.h>

#include "../instance_host.h"
#include "extensions.h"
#include "recorded_graph.h"

namespace grapnel::bridge {
namespace {

constexpr std::size_t kLongestName = 512;

// nullptr: this is no hook before a backward pass of the library's own.
LossTerms* terms_of(const InstanceHost& self) {
  const Call& call = *self.call();
  if (!call.in_hook || call.custom || call.hook != Hook::on_before_backward) return nullptr;
  return static_cast<BackwardEvent*>(call.event)->terms;
}

std::int32_t no_terms(InstanceHost& self, const char* service) {
  return self.not_now(service, "possible only in on_before_backward of a Trainer");
}

std::int32_t GRAPNEL_CALL begin_recording(const grapnel_host* host) noexcept {
  return service<NoTensors>(host, "autograd.begin_recording", [&](InstanceHost& self) {
    if (terms_of(self) == nullptr) return no_terms(self, "autograd.begin_recording");
    if (self.is_recording()) throw ContractBreach{"gradients are recorded already"};
    begin_recorded(self);
    self.set_recording(true);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL end_recording(const grapnel_host* host) noexcept {
  return service<NoTensors>(host, "autograd.end_recording", [&](InstanceHost& self) {
    if (terms_of(self) == nullptr) return no_terms(self, "autograd.end_recording");
    if (!self.is_recording()) throw ContractBreach{"gradients are not recorded"};
    self.set_recording(false);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL step_loss(const grapnel_host* host, grapnel_tensor** owned) noexcept {
  return service(host, "autograd.step_loss", [&](InstanceHost& self) {
    check_output(owned);
    const LossTerms* terms = terms_of(self);
    if (terms == nullptr) return no_terms(self, "autograd.step_loss");
    // A copy within the graph: what the plugin writes to it doesn't change the loss.
    const at::AutoGradMode grad(true);
    begin_recorded(self);
    *owned = self.tensors.own(at::clone(terms->step_loss()));
    end_recorded(self);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL add_term(const grapnel_host* host, grapnel_string name,
                                   const grapnel_tensor* term) noexcept {
  return service(host, "autograd.add_term", [&](InstanceHost& self) {
    const std::string_view text = checked_text(name, "term's name");
    if (text.empty() || text.size() > kLongestName) {
      throw ContractBreach{"the term's name is not 1 to 512 bytes long"};
    }
    LossTerms* terms = terms_of(self);
    if (terms == nullptr) return no_terms(self, "autograd.add_term");
    const at::Tensor& value = checked_tensor(self, term).tensor;
    if (value.defined() && is_outdated(self, value, terms->step_loss())) {
      throw self.error(fmt::format(
          "the term {} of the loss was recorded in an earlier call, or is made of what was; the "
          "backward pass then has freed that: record a term anew in each on_before_backward",
          quote(printable(text))));
    }
    try {
      terms->add(text, value);
    } catch (const ConfigError& error) {
      throw self.error(error.what());
    }
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_autograd kAutograd = {sizeof(grapnel_autograd), 0,          &begin_recording,
                                    &end_recording,           &step_loss, &add_term};

}  // namespace grapnel::bridge
